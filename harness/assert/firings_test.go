package assert

import (
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

func TestFirings(t *testing.T) {
	t.Parallel()
	n := func(i int) *int { return &i }
	twice := []string{"injected", "fired", "fired", "recovered", "recoverySeen"}
	for _, test := range []struct {
		name   string
		events []string
		spec   v1alpha1.Firings
		cut    bool // the evidence is cut off
		want   verdict.Status
		broken bool // the harness failed in a step
	}{
		{"any", twice, v1alpha1.Firings{}, false, verdict.Passed, false},
		{"as many", twice, v1alpha1.Firings{Min: n(2), Max: n(2)}, false, verdict.Passed, false},
		{"too few", twice, v1alpha1.Firings{Min: n(3)}, false, verdict.Failed, false},
		{"too many", twice, v1alpha1.Firings{Max: n(1)}, false, verdict.Failed, false},
		{"none", []string{"injected", "recovered", "recoverySeen"}, v1alpha1.Firings{}, false, verdict.Failed, false},
		{"none, as it must", []string{"injected", "recovered", "recoverySeen"}, v1alpha1.Firings{Max: n(0)}, false, verdict.Passed, false},
		{"that say another thing", twice, v1alpha1.Firings{Contains: "killed"}, false, verdict.Failed, false},
		{"never injected", nil, v1alpha1.Firings{Max: n(0)}, false, verdict.Inconclusive, false},
		{"too few, but more may be missing", twice, v1alpha1.Firings{Min: n(3)}, true, verdict.Inconclusive, false},
		{"too few, but the harness failed", twice, v1alpha1.Firings{Min: n(3)}, false, verdict.Inconclusive, true},
		{"of a step that never was", twice, v1alpha1.Firings{At: "v9"}, false, verdict.Inconclusive, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &evidence.Bundle{Timeline: faultEvents(test.events...)}
			steps := 0
			if test.broken {
				steps = 1 // which has a verdict of its own
				b.Variant.Steps = []string{"v1"}
				b.Timeline = append(b.Timeline, evidence.Event{Step: "v1", Finished: &evidence.StepFinished{Errored: true}})
			}
			if test.cut {
				b.Truncated = []string{"timeline.jsonl"}
			}
			test.spec.Fault = "f"
			all := Judge(b, v1alpha1.Spec{Assert: []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: "firings", Spec: &test.spec}}}})
			if len(all) != steps+1 || all[steps].Status != test.want {
				t.Errorf("%+v, want %s", all, test.want)
			}
		})
	}
}
