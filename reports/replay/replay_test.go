package replay_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/replay"
	"rehearse.dev/rehearse/harness/verdict"
	report "rehearse.dev/rehearse/reports/replay"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// bundle writes evidence of a fault that hit these objects, one after the other, and returns its firings.
func bundle(t *testing.T, dir string, hit ...string) []replay.Firing {
	t.Helper()
	now := time.Duration(0)
	rec, err := evidence.Create(dir, evidence.Variant{Format: evidence.Format}, evidence.WithClock(func() time.Duration { return now }))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range hit {
		now += time.Second
		q := evidence.Request{Number: int64(i + 1), Verb: "patch", Resource: "configmaps", Name: name, Began: now, Took: time.Millisecond}
		rec.Record(evidence.Event{Fault: &evidence.Fault{Name: "busy", Phase: evidence.FaultFired, Request: q.Number, Detail: q.String() + ": answered 409"}})
		rec.Request(q, "v2", nil)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	firings, err := replay.Firings(b)
	if err != nil {
		t.Fatal(err)
	}
	return firings
}

func variant(name string, status verdict.Status, verdicts ...verdict.Verdict) verdict.Variant {
	return verdict.Variant{Scenario: name, Status: status, Verdicts: verdicts}
}

func says(name string, status verdict.Status, message string) verdict.Verdict {
	return verdict.Verdict{Name: name, Status: status, Message: message}
}

// sample is a run of two variants with five replays, of which each differs in another way but the first.
func sample(t *testing.T) report.Outcome {
	t.Helper()
	top := t.TempDir()
	original := replay.Original{Variants: []replay.Variant{
		{Plan: plan.Plan{Seed: 42}, Outcome: variant("chance", verdict.Passed, says("v2", verdict.Passed, ""), says("live", verdict.Passed, "")), Firings: bundle(t, filepath.Join(top, "then"), "a", "b")},
		{Plan: plan.Plan{Seed: 7}, Outcome: variant("fails", verdict.Failed, says("live", verdict.Failed, "then")), Firings: bundle(t, filepath.Join(top, "none"))},
	}}
	o := report.Outcome{
		Run: "first", Times: 6, Notes: []string{"helm was v4.3.0, and is v4.3.1"},
		LeftOut: []replay.LeftOut{{ID: "elsewhere", Reason: "not on kind: it is simulated"}},
	}
	fails := variant("fails", verdict.Failed, says("live", verdict.Failed, "now"))
	fails.Dir = "fails"
	bundle(t, filepath.Join(top, "fails"))
	add := func(n int, v verdict.Variant, hit ...string) {
		v.Dir = "replay-" + string(rune('0'+n))
		if hit != nil {
			bundle(t, filepath.Join(top, v.Dir), hit...)
		}
		o.Add(n, original, []verdict.Variant{v, fails}, top)
	}
	same := original.Variants[0].Outcome
	errored := variant("chance", verdict.Errored)
	errored.Reason = "the cluster died"
	skipped := variant("chance", verdict.Skipped)
	skipped.Reason = "fault busy is not to be had"
	add(1, same, "a", "b")
	add(2, variant("chance", verdict.Failed, says("v2", verdict.Passed, ""), says("live", verdict.Failed, "data differs,\nin two lines")), "a", "b")
	add(3, same, "b", "a")
	add(4, same, "a")
	add(5, errored, "a")
	add(6, skipped)
	for i := range o.Replays {
		for j := range o.Replays[i].Variants {
			v := &o.Replays[i].Variants[j]
			v.Dir = strings.ReplaceAll(v.Dir, top, "reports/runs/again")
			v.Errored = strings.ReplaceAll(v.Errored, top, "reports/runs/again")
		}
	}
	return o
}

func TestText(t *testing.T) {
	t.Parallel()
	o := sample(t)
	if o.Same != 1 || !o.Errored() {
		t.Errorf("%d the same, errored is %t; want 1 and true", o.Same, o.Errored())
	}
	var got strings.Builder
	if err := report.WriteText(&got, o); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "replay.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got; -update writes it anew:\n%s", diff)
	}
}
