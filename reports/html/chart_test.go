package html

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

func transition(seq int64, at time.Duration, name, to string) evidence.Event {
	return evidence.Event{Seq: seq, At: at, Step: "v1", Transition: &evidence.Transition{Ref: evidence.Ref{Kind: "Pod", Name: name}, To: to}}
}

func TestChart(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{Timeline: []evidence.Event{
		{Seq: 1, At: 5 * time.Second, Phase: &evidence.Phase{Name: "cluster", Took: 5 * time.Second}},
		{Seq: 2, At: 10 * time.Second, Step: "v1", Started: &evidence.StepStarted{Operation: "install"}},
		transition(3, 10*time.Second, "a", "InProgress"),
		transition(4, 15*time.Second, "a", "Current"),
		transition(5, 15*time.Second+time.Millisecond, "a", "Failed"),
		transition(6, 17*time.Second, "a", "NotFound"),
		{Seq: 7, At: 20 * time.Second, Step: "v1", Finished: &evidence.StepFinished{Operation: "install"}},
		{Seq: 8, At: 90 * time.Second, Phase: &evidence.Phase{Name: "clean-up", Took: time.Minute}},
	}}
	charts := chartsOf(b, verdict.Variant{Verdicts: []verdict.Verdict{{Name: "v1", Kind: "step", Status: verdict.Failed}}})
	if len(charts) != 1 {
		t.Fatalf("%d charts, want 1", len(charts))
	}
	c := charts[0]
	const width = plotRight - labelWidth
	want := []bar{
		{X: labelWidth, TextX: labelWidth + 6, W: width / 2, Class: "InProgress", Text: "InProgress", Title: "Pod/a InProgress, +10.000s to +15.000s (5.00s)"},
		{X: labelWidth + width/2, TextX: labelWidth + width/2 + 6, W: 1.5, Class: "Current", Title: "Pod/a Current, +15.000s to +15.001s (1ms)"},
	}
	if diff := cmp.Diff(want, c.Lanes[0].Bars[:2]); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
	if got := c.Lanes[0].Bars; len(got) != 3 {
		t.Errorf("%d bars, want none for NotFound: %v", len(got), got)
	}
	if got := c.Bands[0]; got.X != labelWidth || got.W != width || got.Status != verdict.Failed {
		t.Errorf("band = %+v, want all of the chart, failed", got)
	}
	if got := c.Ticks; len(got) < 4 || len(got) > 10 || got[0].Text != "+11s" {
		t.Errorf("ticks = %v, want four to ten from +11s on", got)
	}
}

// TestChartOfAFault: a fault has a lane of its own, above all others, with a bar from its injection to the end that was seen.
func TestChartOfAFault(t *testing.T) {
	t.Parallel()
	told := func(seq int64, at time.Duration, phase evidence.FaultPhase, firing int) evidence.Event {
		return evidence.Event{Seq: seq, At: at, Fault: &evidence.Fault{Name: "gone", Kind: "pauseNode", Phase: phase, Firing: firing}}
	}
	b := &evidence.Bundle{Timeline: []evidence.Event{
		{Seq: 1, Step: "v1", Started: &evidence.StepStarted{Operation: "install"}},
		transition(2, time.Second, "a", "InProgress"),
		told(3, 2*time.Second, evidence.FaultInjected, 0),
		told(4, 3*time.Second, evidence.FaultFired, 1),
		told(5, 5*time.Second, evidence.FaultRecovered, 0),
		told(6, 6*time.Second, evidence.FaultRecoverySeen, 0),
		{Seq: 7, At: 10 * time.Second, Step: "v1", Finished: &evidence.StepFinished{Operation: "install"}},
	}}
	charts := chartsOf(b, verdict.Variant{})
	if len(charts) == 0 || charts[0].Lanes[0].Label != "fault gone" {
		t.Fatalf("no lane of the fault: %+v", charts)
	}
	lane := charts[0].Lanes[0]
	if len(lane.Bars) != 1 || lane.Bars[0].Class != "Active" || lane.Bars[0].W.String() != px((plotRight-labelWidth)*0.4).String() {
		t.Errorf("bars %+v, want one of four seconds", lane.Bars)
	}
	if len(lane.Marks) != 1 || lane.Marks[0].Class != "fault" {
		t.Errorf("marks %+v, want one for the firing", lane.Marks)
	}
}

func TestChartOfAStepThatNeverEnded(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{Timeline: []evidence.Event{
		{Seq: 1, Step: "v1", Started: &evidence.StepStarted{Operation: "install"}},
		transition(2, time.Second, "a", "InProgress"),
	}}
	charts := chartsOf(b, verdict.Variant{})
	if len(charts) != 1 || len(charts[0].Bands) != 1 || charts[0].Bands[0].X+charts[0].Bands[0].W != plotRight {
		t.Errorf("charts = %+v, want one whose step lasts to its end", charts)
	}
}

func TestChartOfNothing(t *testing.T) {
	t.Parallel()
	for name, timeline := range map[string][]evidence.Event{
		"nothing":   nil,
		"one event": {{Seq: 1, Step: "v1", Started: &evidence.StepStarted{}}},
		"no object": {{Seq: 1, Step: "v1", Started: &evidence.StepStarted{}}, {Seq: 2, At: 1, Step: "v1", Finished: &evidence.StepFinished{}}},
	} {
		if got := chartsOf(&evidence.Bundle{Timeline: timeline}, verdict.Variant{}); len(got) != 0 {
			t.Errorf("%s: %d charts, want none", name, len(got))
		}
	}
}

func TestTicksAreFew(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{3 * time.Millisecond, time.Second, 59 * time.Second, 7 * time.Minute, 3 * time.Hour, 200 * time.Hour} {
		c := &chart{start: 1234 * time.Millisecond, end: 1234*time.Millisecond + length}
		if n := len(c.ticks()); n < 2 || n > 11 {
			t.Errorf("%d ticks for a run of %v", n, length)
		}
	}
}

func managed(name, uid string, fields ...string) map[string]any {
	set := map[string]any{}
	for _, f := range fields {
		set["f:"+f] = map[string]any{}
	}
	return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
		"name": name, "uid": uid,
		"managedFields": []any{map[string]any{"manager": "helm", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{"f:data": set, "f:status": set}}},
	}}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	steps := func(states ...map[string]any) *evidence.Bundle {
		b := &evidence.Bundle{}
		for i, s := range states {
			snapshot := evidence.Snapshot{Step: string(rune('a' + i))}
			if s != nil {
				snapshot.Objects = []map[string]any{s}
			}
			b.Snapshots = append(b.Snapshots, snapshot)
		}
		return b
	}
	for name, test := range map[string]struct {
		bundle *evidence.Bundle
		// want is each row's path with its changed cells, absent ones as "-".
		want []string
	}{
		"nothing changed":         {bundle: steps(managed("m", "1", "x"), managed("m", "1", "x"))},
		"made and deleted":        {bundle: steps(nil, managed("m", "1", "x"), nil)},
		"a field is lost":         {bundle: steps(managed("m", "1", "x", "y"), managed("m", "1", "x")), want: []string{".data.y .!"}},
		"lost while it was away":  {bundle: steps(managed("m", "1", "x", "y"), nil, managed("m", "2", "x")), want: []string{".data.y .-!"}},
		"lost, and back again":    {bundle: steps(managed("m", "1", "x", "y"), managed("m", "1", "x"), managed("m", "1", "x", "y")), want: []string{".data.y .!!"}},
		"only the status changes": {bundle: steps(withoutData(managed("m", "1", "x", "y")), withoutData(managed("m", "1", "x")))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tables, _ := ownersOf(test.bundle)
			var got []string
			for _, table := range tables {
				for _, row := range table.Rows {
					text := row.Path + " "
					for _, c := range row.Cells {
						switch {
						case c.Absent:
							text += "-"
						case c.Changed:
							text += "!"
						default:
							text += "."
						}
					}
					got = append(got, text)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func withoutData(o map[string]any) map[string]any {
	entry := o["metadata"].(map[string]any)["managedFields"].([]any)[0].(map[string]any)
	delete(entry["fieldsV1"].(map[string]any), "f:data")
	return o
}

func TestOwnersOfUnreadableFields(t *testing.T) {
	t.Parallel()
	bad := map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"name": "m", "managedFields": []any{"no object"}}}
	tables, _ := ownersOf(&evidence.Bundle{Snapshots: []evidence.Snapshot{
		{Step: "a", Objects: []map[string]any{bad}}, {Step: "b", Objects: []map[string]any{bad}},
	}})
	if len(tables) != 1 || tables[0].Error == "" {
		t.Errorf("tables = %+v, want one that says why", tables)
	}
}
