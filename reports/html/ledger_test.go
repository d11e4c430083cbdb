package html

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	after := func(step string, statuses ...string) evidence.Snapshot {
		s := evidence.Snapshot{Step: step}
		for i, status := range statuses {
			if status != "" {
				s.Ledger.Revisions = append(s.Ledger.Revisions, evidence.Revision{Revision: i + 1, Status: status, ApplyMethod: "ssa"})
			}
		}
		return s
	}
	// The third step has pruned the first revision.
	b := &evidence.Bundle{Snapshots: []evidence.Snapshot{
		after("v1", "deployed"), after("v2", "superseded", "deployed"), after("v3", "", "deployed"),
	}}
	var got []string
	for _, row := range ledgerOf(b).Rows {
		text := fmt.Sprint(row.Number)
		for _, c := range row.Cells {
			text += fmt.Sprintf(" %q:%v", c.Status, c.Changed)
		}
		got = append(got, text)
	}
	want := []string{
		`1 "deployed":false "superseded":true "":true`,
		`2 "":false "deployed":true "deployed":false`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := ledgerOf(&evidence.Bundle{Snapshots: []evidence.Snapshot{after("v1")}}); got != nil {
		t.Errorf("ledger of an empty storage = %+v, want none", got)
	}
}

func TestWarningsAreFew(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{Truncated: []string{"timeline.jsonl"}, Snapshots: []evidence.Snapshot{{Step: "v1", Incomplete: []string{"objects: forbidden"}}}}
	if got := warningsOf(b); len(got) != 2 {
		t.Errorf("warnings = %q, want one for each hole", got)
	}
	b.Timeline = append(b.Timeline, evidence.Event{Restart: &evidence.Restart{Component: "kube-scheduler", Reason: "it ended"}})
	if got := warningsOf(b); len(got) != 3 || got[1] != "at +0.000s: the cluster's kube-scheduler was started again: it ended" {
		t.Errorf("warnings = %q, want one for what was started again", got)
	}
	for range 100 {
		b.Timeline = append(b.Timeline, evidence.Event{Gap: &evidence.Gap{Resource: "pods"}})
	}
	if got := warningsOf(b); len(got) != mostWarnings+1 || got[mostWarnings] != "and 95 more" {
		t.Errorf("%d warnings, the last is %q", len(got), got[len(got)-1])
	}
}
