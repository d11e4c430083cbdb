package assert_test

import (
	"os"
	"path/filepath"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	warned := edits{
		"v2": func(s *story) {
			s.kubeEvent(backend, "Warning", "Unhealthy", "probe failed", 1)
			s.kubeEvent(backend, "Warning", "Unhealthy", "probe failed", 2)
			s.kubeEvent(frontend, "Normal", "Scaled", "up to 1", 0)
		},
		"back": func(s *story) {
			s.kubeEvent(backend, "Warning", "Unhealthy", "probe failed", 3)
			s.kubeEvent(backend, "Warning", "Unhealthy", "probe failed", 1) // a new series
		},
	}
	judgeAll(t, "events", []judgement{
		{name: "any", edits: warned, want: passed, spec: &v1alpha1.Events{}},
		{name: "all fields", edits: warned, want: passed, spec: &v1alpha1.Events{
			At: "v2", Object: backend, Type: "Warning", Reason: "Unhealthy", Contains: "probe", Min: number(2), Max: number(2),
		}},
		{name: "counts of a series add up", edits: warned, want: passed, spec: &v1alpha1.Events{Reason: "Unhealthy", Min: number(4), Max: number(4)}},
		{name: "what the step added", edits: warned, want: passed, spec: &v1alpha1.Events{At: "back", Reason: "Unhealthy", Min: number(2), Max: number(2)}},
		{
			name: "too few", edits: warned, want: failed, spec: &v1alpha1.Events{Reason: "Unhealthy", Min: number(9)},
			says: []string{"expected at least 9 Events (reason Unhealthy), seen 4"},
		},
		{name: "none", edits: warned, want: failed, spec: &v1alpha1.Events{Object: frontend, Type: "Warning"}, says: []string{"expected at least 1 Events (of Deployment/frontend, type Warning), seen 0"}},
		{name: "another text", edits: warned, want: failed, spec: &v1alpha1.Events{Contains: "boom"}, says: []string{"(containing boom)"}},
		{
			name: "too many", edits: warned, want: failed, spec: &v1alpha1.Events{Object: backend, Max: number(0)},
			says: []string{"expected at most 0 Events (of Deployment/backend), seen 4", `the last in step "back"`, "Deployment/backend Unhealthy: probe failed"},
		},
		{name: "none as stated", edits: warned, want: passed, spec: &v1alpha1.Events{Object: frontend, Type: "Warning", Max: number(0)}},
		{name: "none in that step", edits: warned, want: passed, spec: &v1alpha1.Events{At: "v1", Max: number(0)}},
		{
			name: "no Event anywhere", want: inconclusive, spec: &v1alpha1.Events{Max: number(0)},
			says: []string{"no Event at all was recorded"},
		},
		{
			name: "unknown object", edits: warned, want: inconclusive, spec: &v1alpha1.Events{Object: "Deployment/x", Max: number(0)},
			says: []string{"Deployment/x matches nothing"},
		},
		{
			name: "too few with a gap", edits: edits{"back": func(s *story) { s.gap("events") }}, want: inconclusive, spec: &v1alpha1.Events{At: "back"},
			says: []string{"evidence about events may be missing"},
		},
		{
			name: "few enough with a gap", want: inconclusive, spec: &v1alpha1.Events{Max: number(9)},
			edits: edits{"v1": warned["v2"], "back": func(s *story) { s.gap("events") }}, says: []string{"evidence about events may be missing"},
		},
		{
			name: "too many in spite of a gap", want: failed, spec: &v1alpha1.Events{Max: number(0)},
			edits: edits{"v1": warned["v2"], "back": func(s *story) { s.gap("events") }},
		},
	})
}

// TestEventsOfACutOffTimeline: what was lost could have held the Event.
func TestEventsOfACutOffTimeline(t *testing.T) {
	t.Parallel()
	b := play(t, nil)
	f, err := os.OpenFile(filepath.Join(b.Dir, evidence.TimelineFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"seq":9`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	cut, err := evidence.Load(b.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := judgeOne(t, cut, "events", &v1alpha1.Events{}); got.Status != inconclusive || got.Message != "the evidence is cut off: timeline.jsonl" {
		t.Errorf("%s: %s", got.Status, got.Message)
	}
}
