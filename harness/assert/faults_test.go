package assert

import (
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

// faultEvents are the events of a fault called f, in brief: a phase, or "failed ACTION".
func faultEvents(brief ...string) []evidence.Event {
	var all []evidence.Event
	for i, text := range brief {
		phase, action, _ := strings.Cut(text, " ")
		e := &evidence.Fault{Name: "f", Kind: "pauseNode", Phase: evidence.FaultPhase(phase), Action: action}
		if action != "" {
			e.Detail = "boom"
		}
		all = append(all, evidence.Event{Seq: int64(i) + 1, Fault: e})
	}
	return all
}

func TestJudgeFaults(t *testing.T) {
	t.Parallel()
	no := false
	for _, test := range []struct {
		name     string
		events   []string
		optional bool // requireFired: false
		want     verdict.Status
		message  string
	}{
		{"fired and recovered", []string{"injected", "fired", "propagated", "recovered", "recoverySeen", "cleanedUp"}, false, verdict.Passed, ""},
		{"injected twice", []string{"injected", "fired", "recovered", "recoverySeen", "injected", "fired", "recovered", "recoverySeen"}, false, verdict.Passed, ""},
		{"never injected", []string{"cleanedUp"}, false, verdict.Inconclusive, "never injected"},
		{"nothing known", nil, false, verdict.Inconclusive, "never injected"},
		{"never injected, which may be", nil, true, verdict.Passed, ""},
		{"took effect on nothing", []string{"injected", "propagated", "recovered", "recoverySeen"}, false, verdict.Inconclusive, "took effect on nothing"},
		{"took effect on nothing, which may be", []string{"injected", "propagated", "recovered", "recoverySeen"}, true, verdict.Passed, ""},
		{"went no further, which may be", []string{"injected", "fired", "failed waitForPropagation", "recovered", "recoverySeen"}, true, verdict.Passed, ""},
		{"no target", []string{"failed inject", "recovered", "recoverySeen", "cleanedUp"}, false, verdict.Inconclusive, "did not take effect: inject: boom"},
		{"did not propagate", []string{"injected", "failed waitForPropagation", "recovered", "recoverySeen"}, false, verdict.Inconclusive, "waitForPropagation: boom"},
		{"did not recover", []string{"injected", "fired", "propagated", "failed recover"}, false, verdict.Errored, "recover: boom"},
		{"not seen to recover", []string{"injected", "fired", "propagated", "recovered", "failed waitForRecovery"}, false, verdict.Errored, "waitForRecovery: boom"},
		{"not undone though it need not have fired", []string{"injected", "failed recover"}, true, verdict.Errored, "recover: boom"},
		{"the evidence ends", []string{"injected", "fired", "propagated"}, false, verdict.Errored, "never seen to have recovered"},
		{"broken off while active", []string{"injected", "fired", "failed hold", "recovered", "recoverySeen"}, false, verdict.Errored, "hold: boom"},
		{"injected again and left", []string{"injected", "fired", "recovered", "recoverySeen", "injected", "fired"}, false, verdict.Errored, "never seen to have recovered"},
		{"unavailable", []string{"unavailable setUp"}, false, verdict.Skipped, "fault f (pauseNode): boom"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &evidence.Bundle{Timeline: faultEvents(test.events...)}
			spec := v1alpha1.Fault{Name: "f"}
			if test.optional {
				spec.RequireFired = &no
			}
			all := Judge(b, v1alpha1.Spec{Faults: []v1alpha1.Fault{spec}})
			if len(all) != 1 || all[0].Name != "fault f" || all[0].Kind != "fault" {
				t.Fatalf("%+v", all)
			}
			if all[0].Status != test.want || !strings.Contains(all[0].Message, test.message) || (test.message == "") != (all[0].Message == "") {
				t.Errorf("%s: %q, want %s: %q", all[0].Status, all[0].Message, test.want, test.message)
			}
			if len(all[0].Evidence) != len(test.events) {
				t.Errorf("rests on %d of %d events", len(all[0].Evidence), len(test.events))
			}
		})
	}
}

// TestJudgeFaultOfAnother: events of another fault count for nothing.
func TestJudgeFaultOfAnother(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{Timeline: faultEvents("injected", "fired", "recoverySeen")}
	all := Judge(b, v1alpha1.Spec{Faults: []v1alpha1.Fault{{Name: "other"}}})
	if len(all) != 1 || all[0].Status != verdict.Inconclusive {
		t.Errorf("%+v", all)
	}
}

// TestInconclusiveStep: a step whose fault had not taken effect says nothing, and ends the run.
func TestInconclusiveStep(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{
		Variant: evidence.Variant{Steps: []string{"v1", "v2"}},
		Timeline: []evidence.Event{
			{Seq: 1, Step: "v1", Started: &evidence.StepStarted{}},
			{Seq: 2, Step: "v1", Finished: &evidence.StepFinished{Mismatch: "not begun", Inconclusive: true}},
		},
	}
	all := Judge(b, v1alpha1.Spec{})
	if len(all) != 2 || all[0].Status != verdict.Inconclusive || all[0].Message != "not begun" || all[1].Status != verdict.Skipped {
		t.Errorf("%+v", all)
	}
}

// TestUnavailable: what passed before stays, and the rest is skipped rather than inconclusive.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{
		Variant: evidence.Variant{Steps: []string{"v1", "v2"}},
		Timeline: append(faultEvents("unavailable inject"),
			evidence.Event{Seq: 2, Step: "v1", Started: &evidence.StepStarted{}},
			evidence.Event{Seq: 3, Step: "v1", Finished: &evidence.StepFinished{}}),
	}
	all := Judge(b, v1alpha1.Spec{
		Faults: []v1alpha1.Fault{{Name: "f"}}, Assert: []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: "ledger", Spec: &v1alpha1.Ledger{}}}},
	})
	var got []verdict.Status
	for _, v := range all {
		got = append(got, v.Status)
	}
	want := []verdict.Status{verdict.Passed, verdict.Skipped, verdict.Skipped, verdict.Skipped}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
