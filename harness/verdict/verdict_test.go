package verdict_test

import (
	"slices"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

func TestWorst(t *testing.T) {
	t.Parallel()
	// Each decides over all those before it.
	order := []verdict.Status{verdict.Skipped, verdict.Passed, verdict.Inconclusive, verdict.Errored, verdict.Failed}
	for i, worse := range order {
		for _, better := range order[:i+1] {
			for _, all := range [][]verdict.Status{{worse}, {better, worse}, {worse, better}, {better, worse, better}} {
				if got := verdict.Worst(all); got != worse {
					t.Errorf("the worst of %v is %s", all, got)
				}
			}
		}
	}
	if got := verdict.Worst(nil); got != verdict.Inconclusive {
		t.Errorf("nothing at all is %s", got)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	// The codes are a promise to CI, so they stand here as numbers.
	for status, want := range map[verdict.Status]int{
		verdict.Passed: 0, verdict.Skipped: 0, verdict.Failed: 1, verdict.Errored: 3, verdict.Inconclusive: 4,
	} {
		if got := verdict.ExitCode(status); got != want {
			t.Errorf("%s exits with %d, want %d", status, got, want)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ scenario, variant, want string }{
		{"shop", "", "shop"},
		{"shop", "serverSide=true,wait=legacy", "shop[serverSide=true,wait=legacy]"},
	} {
		if got := (verdict.Variant{Scenario: tc.scenario, Variant: tc.variant}).ID(); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// TestRecovered: steps stand in their order, and not in that of the alphabet; one without a verdict comes last.
func TestRecovered(t *testing.T) {
	t.Parallel()
	v := verdict.Variant{Recovery: map[string]time.Duration{"back": 3, "v1": 1, "other": 1, "v2": 2}}
	for _, step := range []string{"v1", "v2", "idle", "back"} {
		v.Verdicts = append(v.Verdicts, verdict.Verdict{Name: step, Kind: "step"})
	}
	v.Verdicts = append(v.Verdicts, verdict.Verdict{Name: "v1", Kind: "live"})
	if got, want := v.Recovered(), []string{"v1", "v2", "back", "other"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
