package assert

import (
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	n := func(i int) *int { return &i }
	yes, no := true, false
	patch := func(name string, force, dry bool) evidence.Event {
		return evidence.Event{Request: &evidence.Request{
			Verb: "patch", Group: "apps", Resource: "deployments", Name: name, Manager: "helm", Force: force, DryRun: dry, Status: 200,
		}}
	}
	all := []evidence.Event{
		patch("web", false, false), patch("web", true, false), patch("db", false, true),
		{Request: &evidence.Request{Verb: "create", Resource: "secrets", Name: "sh.helm.release.v1.shop.v2", Status: 409}},
		{Request: &evidence.Request{Verb: "get", Path: "/version", Status: 200}},
	}
	broken := append([]evidence.Event{{Step: "v1", Started: &evidence.StepStarted{}}, {Step: "v1", Finished: &evidence.StepFinished{Errored: true}}}, all...)
	for name, test := range map[string]struct {
		events []evidence.Event
		spec   v1alpha1.Requests
		cut    bool // the evidence is cut off
		want   verdict.Status
	}{
		"any":                     {all, v1alpha1.Requests{}, false, verdict.Passed},
		"all of them":             {all, v1alpha1.Requests{Min: n(5), Max: n(5)}, false, verdict.Passed},
		"writes":                  {all, v1alpha1.Requests{Verb: "write", Min: n(3), Max: n(3)}, false, verdict.Passed},
		"verb":                    {all, v1alpha1.Requests{Verb: "patch", Min: n(3), Max: n(3)}, false, verdict.Passed},
		"forced":                  {all, v1alpha1.Requests{Force: &yes, Min: n(1), Max: n(1)}, false, verdict.Passed},
		"not forced":              {all, v1alpha1.Requests{Force: &no, Verb: "patch", Min: n(2), Max: n(2)}, false, verdict.Passed},
		"dry runs":                {all, v1alpha1.Requests{DryRun: &yes, Max: n(0)}, false, verdict.Failed},
		"core":                    {all, v1alpha1.Requests{Group: "core", Min: n(1), Max: n(1)}, false, verdict.Passed},
		"resource":                {all, v1alpha1.Requests{Resource: "jobs"}, false, verdict.Failed},
		"manager":                 {all, v1alpha1.Requests{Manager: "kubectl"}, false, verdict.Failed},
		"name":                    {all, v1alpha1.Requests{Name: "web", Min: n(2), Max: n(2)}, false, verdict.Passed},
		"start of a name":         {all, v1alpha1.Requests{Name: "sh.helm.*", Min: n(1), Max: n(1)}, false, verdict.Passed},
		"status":                  {all, v1alpha1.Requests{Status: 409, Max: n(0)}, false, verdict.Failed},
		"too few":                 {all, v1alpha1.Requests{Min: n(6)}, false, verdict.Failed},
		"too many":                {all, v1alpha1.Requests{Max: n(4)}, false, verdict.Failed},
		"none are recorded":       {nil, v1alpha1.Requests{Max: n(0)}, false, verdict.Inconclusive},
		"more may be missing":     {all, v1alpha1.Requests{Verb: "delete"}, true, verdict.Inconclusive},
		"the harness failed":      {broken, v1alpha1.Requests{Min: n(6)}, false, verdict.Inconclusive},
		"failed after too many":   {broken, v1alpha1.Requests{Max: n(4)}, false, verdict.Failed},
		"of a step never reached": {all, v1alpha1.Requests{At: "v9"}, false, verdict.Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &evidence.Bundle{Timeline: test.events}
			b.Variant.Steps = []string{"v1"}
			if test.cut {
				b.Truncated = []string{"timeline.jsonl"}
			}
			out := Judge(b, v1alpha1.Spec{Assert: []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: "requests", Spec: &test.spec}}}})
			if len(out) != 2 || out[1].Status != test.want {
				t.Errorf("%+v, want %s", out, test.want)
			}
		})
	}
}
