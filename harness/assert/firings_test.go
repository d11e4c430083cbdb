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
	}{
		{"any", twice, v1alpha1.Firings{}, false, verdict.Passed},
		{"as many", twice, v1alpha1.Firings{Min: n(2), Max: n(2)}, false, verdict.Passed},
		{"too few", twice, v1alpha1.Firings{Min: n(3)}, false, verdict.Failed},
		{"too many", twice, v1alpha1.Firings{Max: n(1)}, false, verdict.Failed},
		{"none", []string{"injected", "recovered", "recoverySeen"}, v1alpha1.Firings{}, false, verdict.Failed},
		{"none, as it must", []string{"injected", "recovered", "recoverySeen"}, v1alpha1.Firings{Max: n(0)}, false, verdict.Passed},
		{"that say another thing", twice, v1alpha1.Firings{Contains: "killed"}, false, verdict.Failed},
		{"never injected", nil, v1alpha1.Firings{Max: n(0)}, false, verdict.Inconclusive},
		{"too few, but more may be missing", twice, v1alpha1.Firings{Min: n(3)}, true, verdict.Inconclusive},
		{"of a step that never was", twice, v1alpha1.Firings{At: "v9"}, false, verdict.Inconclusive},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &evidence.Bundle{Timeline: faultEvents(test.events...)}
			if test.cut {
				b.Truncated = []string{"timeline.jsonl"}
			}
			test.spec.Fault = "f"
			all := Judge(b, v1alpha1.Spec{Assert: []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: "firings", Spec: &test.spec}}}})
			if len(all) != 1 || all[0].Status != test.want {
				t.Errorf("%+v, want %s", all, test.want)
			}
		})
	}
}
