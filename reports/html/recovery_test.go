package html

import (
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// TestRecoveryInOrderOfSteps: recovery times stand in the order of the steps that they are of, and not in that of the alphabet.
func TestRecoveryInOrderOfSteps(t *testing.T) {
	t.Parallel()
	v := verdict.Variant{Recovery: map[string]time.Duration{"back": 3 * time.Second, "v1": time.Second, "other": time.Second, "v2": 2 * time.Second}}
	for _, step := range []string{"v1", "v2", "idle", "back"} {
		v.Verdicts = append(v.Verdicts, verdict.Verdict{Name: step, Kind: "step"})
	}
	v.Verdicts = append(v.Verdicts, verdict.Verdict{Name: "v1", Kind: "live"})
	if got, want := rowOf(0, v, time.Second).Recovery, "v1 1.00s, v2 2.00s, back 3.00s, other 1.00s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
