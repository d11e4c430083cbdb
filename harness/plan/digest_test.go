package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/plan"
)

func TestFaultsDigest(t *testing.T) {
	t.Parallel()
	spec := func(change func(*v1alpha1.Spec)) *v1alpha1.Spec {
		s := &v1alpha1.Spec{
			Faults: []v1alpha1.Fault{
				{Name: "busy", After: &metav1.Duration{Duration: time.Second}, Do: v1alpha1.Choice{Kind: "api", Spec: &v1alpha1.API{Match: v1alpha1.Match{Verb: "patch"}, Break: "reset"}}},
				{Name: "out", Do: v1alpha1.Choice{Kind: "cancelHelm", Spec: &v1alpha1.CancelHelm{HelmTrigger: v1alpha1.HelmTrigger{When: &v1alpha1.Await{Field: &v1alpha1.AwaitField{Equals: "secret"}}}}}},
				{Name: "old", Do: v1alpha1.Choice{Kind: "leftoverHook", Spec: &v1alpha1.LeftoverHook{Job: map[string]any{"a": "secret"}}}},
			},
			Steps: []v1alpha1.Step{{Name: "v1"}, {Name: "v2", During: []string{"busy"}}},
		}
		change(s)
		return s
	}
	base := plan.FaultsDigest(spec(func(*v1alpha1.Spec) {}))
	if len(base) != 12 || plan.FaultsDigest(&v1alpha1.Spec{}) != "" {
		t.Errorf("digest %q, and without faults %q", base, plan.FaultsDigest(&v1alpha1.Spec{}))
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.Spec)
		same   bool
	}{
		"a field":        {func(s *v1alpha1.Spec) { s.Faults[0].Do.Spec.(*v1alpha1.API).Match.Nth = 2 }, false},
		"when it comes":  {func(s *v1alpha1.Spec) { s.Faults[0].After.Duration++ }, false},
		"its step":       {func(s *v1alpha1.Spec) { s.Steps[0].During = []string{"busy"} }, false},
		"one less":       {func(s *v1alpha1.Spec) { s.Faults = s.Faults[:1] }, false},
		"what is free":   {func(s *v1alpha1.Spec) { s.Faults[2].Do.Spec.(*v1alpha1.LeftoverHook).Job["a"] = "other" }, true},
		"a value":        {func(s *v1alpha1.Spec) { s.Faults[1].Do.Spec.(*v1alpha1.CancelHelm).When.Field.Equals = "other" }, true},
		"something else": {func(s *v1alpha1.Spec) { s.Description = "other" }, true},
	} {
		if got := plan.FaultsDigest(spec(test.change)); (got == base) != test.same {
			t.Errorf("%s: digest %s, before %s", name, got, base)
		}
	}
}
