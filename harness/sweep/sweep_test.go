package sweep_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/sweep"
)

// recording is the evidence of a scenario up to an upgrade that wrote these requests.
func recording(mismatch string, requests ...evidence.Request) *evidence.Bundle {
	b := &evidence.Bundle{Variant: evidence.Variant{Steps: []string{"v1", "v2"}}}
	for i := range requests {
		b.Timeline = append(b.Timeline, evidence.Event{Step: "v2", Request: &requests[i]})
	}
	b.Timeline = append(b.Timeline, evidence.Event{Step: "v2", Finished: &evidence.StepFinished{Operation: "upgrade", Mismatch: mismatch}})
	return b
}

func TestWrites(t *testing.T) {
	t.Parallel()
	patch := evidence.Request{Number: 4, Verb: "patch", Group: "apps", Resource: "deployments", Name: "backend"}
	create := evidence.Request{Number: 2, Verb: "create", Resource: "secrets", Name: "r.v2"}
	dry, list, again := patch, create, patch
	dry.DryRun, dry.Number = true, 1
	list.Verb, list.Number = "list", 3
	again.Number = 5
	writes, err := sweep.Writes(recording("", patch, dry, create, list, again), "v2")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range writes {
		got = append(got, w.String())
	}
	want := []string{"create secrets/r.v2", "patch deployments/backend", "patch deployments/backend #2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, b := range map[string]*evidence.Bundle{
		"it wrote nothing":     recording("", list, dry),
		"it did not end well":  recording("expected success", patch),
		"it was never reached": {},
	} {
		if _, err := sweep.Writes(b, "v2"); !errors.Is(err, sweep.ErrRecording) {
			t.Errorf("%s: the error is %v, want one that wraps %v", name, err, sweep.ErrRecording)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	if got, err := sweep.ParseCuts(nil); err != nil || !slices.Equal(got, sweep.Cuts()) {
		t.Errorf("nothing: %v, %v; want all", got, err)
	}
	if got, err := sweep.ParseWays([]string{"upgrade"}); err != nil || !slices.Equal(got, []sweep.Way{sweep.ByUpgrade}) {
		t.Errorf("upgrade: %v, %v", got, err)
	}
	if _, err := sweep.ParseCuts([]string{"kill"}); err == nil || !strings.Contains(err.Error(), "killedBefore, killedAfter, responseLost") {
		t.Errorf("kill: %v, want an error that names them all", err)
	}
}

// configMap is an object of the release of which helm owns data, in two versions.
func configMap(text, owner string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"text": text},
		"metadata": map[string]any{
			"name": "shop", "namespace": "ns", "uid": "u",
			"annotations": map[string]any{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "ns"},
			"managedFields": []any{map[string]any{
				"manager": owner, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
				"fieldsV1": map[string]any{"f:data": map[string]any{"f:" + text: map[string]any{}}},
			}},
		},
	}
}

func manifest(text string) []map[string]any {
	return []map[string]any{{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "shop"}, "data": map[string]any{"text": text},
	}}
}

func ledger(statuses ...string) evidence.Ledger {
	l := evidence.Ledger{Release: "shop", Namespace: "ns"}
	for i, status := range statuses {
		text := "one"
		if i == 1 {
			text = "two"
		}
		l.Revisions = append(l.Revisions, evidence.Revision{Revision: i + 1, Status: status, Manifest: manifest(text)})
	}
	return l
}

func snapshot(step string, l evidence.Ledger, o map[string]any) evidence.Snapshot {
	return evidence.Snapshot{Step: step, Ledger: l, Objects: []map[string]any{o}}
}

// attempt is the evidence of one try: what the step left, and what came of the recovery.
type attempt struct {
	notFired           bool
	outcome, refused   string
	left, recovered    evidence.Ledger
	live, liveInTheEnd map[string]any
}

func (a attempt) bundle() *evidence.Bundle {
	b := &evidence.Bundle{Variant: evidence.Variant{Steps: []string{"v1", "v2", "sweep-recover"}, Namespace: "ns", Release: "shop"}}
	if !a.notFired {
		b.Timeline = append(b.Timeline, evidence.Event{Step: "v2", Fault: &evidence.Fault{Name: "sweep-cut", Phase: evidence.FaultFired}})
	}
	for step, text := range map[string]string{"v2": a.outcome, "sweep-recover": a.refused} {
		b.Timeline = append(b.Timeline, evidence.Event{Step: step, Finished: &evidence.StepFinished{Operation: "upgrade", Error: text}})
	}
	b.Snapshots = []evidence.Snapshot{snapshot("v2", a.left, a.live), snapshot("sweep-recover", a.recovered, a.liveInTheEnd)}
	return b
}

// whole is a recording of which all steps are known.
func whole() *evidence.Bundle {
	b := recording("")
	b.Variant.Namespace, b.Variant.Release = "ns", "shop"
	b.Timeline = append(b.Timeline, evidence.Event{Step: "v1", Finished: &evidence.StepFinished{Operation: "install"}})
	return b
}

func reference(t *testing.T) *sweep.Reference {
	t.Helper()
	b := whole()
	b.Snapshots = []evidence.Snapshot{
		snapshot("v1", ledger("deployed"), configMap("one", "helm")),
		snapshot("v2", ledger("superseded", "deployed"), configMap("two", "helm")),
	}
	ref, err := sweep.NewReference(b, "v2", "helm")
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	good := attempt{
		outcome: "it took 3s at https://127.0.0.1:4711/x in ns", left: ledger("deployed", "pending-upgrade"), live: configMap("two", "helm"),
		recovered: ledger("superseded", "superseded", "deployed"), liveInTheEnd: configMap("one", "helm"),
	}
	for name, test := range map[string]struct {
		change func(*attempt)
		want   func(*sweep.Cell)
	}{
		"recovered":           {func(*attempt) {}, func(*sweep.Cell) {}},
		"taken for a success": {func(a *attempt) { a.outcome = "" }, func(c *sweep.Cell) { c.Outcome = "" }},
		"live is a mixture": {
			func(a *attempt) { a.live = configMap("three", "helm") },
			func(c *sweep.Cell) { c.Left.Live, c.Left.Ownership = sweep.Between, sweep.Between },
		},
		"nothing was applied": {
			func(a *attempt) { a.live = configMap("one", "helm") },
			func(c *sweep.Cell) { c.Left.Live, c.Left.Ownership = "revision 1", sweep.AsBefore },
		},
		"refused": {
			func(a *attempt) { a.refused = "another operation is in progress" },
			func(c *sweep.Cell) {
				c.Recoveries[0].Recovered, c.Recoveries[0].Why = false, "another operation is in progress"
			},
		},
		"a revision stays pending": {
			func(a *attempt) { a.recovered = ledger("superseded", "pending-upgrade", "deployed") },
			func(c *sweep.Cell) {
				c.Recoveries[0].Residue = "revision 2 is stuck in pending-upgrade"
				c.Recoveries[0].Left.Ledger = "1 superseded, 2 pending-upgrade, 3 deployed"
			},
		},
		"two deployed": {
			func(a *attempt) { a.recovered = ledger("deployed", "superseded", "deployed") },
			func(c *sweep.Cell) {
				c.Recoveries[0].Recovered, c.Recoveries[0].Why = false, "failed: expected at most one deployed revision"
				c.Recoveries[0].Left.Ledger = "1 deployed, 2 superseded, 3 deployed"
			},
		},
		"not what the revision says": {
			func(a *attempt) { a.liveInTheEnd = configMap("two", "helm") },
			func(c *sweep.Cell) {
				c.Recoveries[0].Recovered, c.Recoveries[0].Why = false, "failed: ConfigMap/shop .data.text: expected"
				c.Recoveries[0].Left.Live, c.Recoveries[0].Left.Ownership = "revision 2", sweep.AsAfter
			},
		},
		"not fired": {func(a *attempt) { a.notFired = true }, func(c *sweep.Cell) { *c = sweep.Cell{Problem: "did not come"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := good
			test.change(&a)
			want := sweep.Cell{
				Outcome: "it took … at … in NAMESPACE", Left: sweep.State{Ledger: "1 deployed, 2 pending-upgrade", Live: "revision 2", Ownership: sweep.AsAfter},
				Recoveries: []sweep.Recovery{{By: sweep.ByRollback, Recovered: true, Left: sweep.State{Ledger: "1 superseded, 2 superseded, 3 deployed", Live: "revision 1", Ownership: sweep.AsBefore}}},
			}
			test.want(&want)
			m := sweep.Matrix{Step: "v2", Ways: sweep.Ways()}
			m.Add(sweep.Try{Cut: sweep.ResponseLost, Way: sweep.ByRollback}, a.bundle(), reference(t), nil)
			compare(t, m.Cells[0], want)
		})
	}
}

func compare(t *testing.T, got, want sweep.Cell) {
	t.Helper()
	if got.Outcome != want.Outcome || got.Left != want.Left || (got.Problem == "") != (want.Problem == "") || !strings.Contains(got.Problem, want.Problem) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got.Explanation == "" {
		t.Error("it is not explained")
	}
	if len(got.Recoveries) != len(want.Recoveries) {
		t.Fatalf("got recoveries %+v, want %+v", got.Recoveries, want.Recoveries)
	}
	for i, r := range got.Recoveries {
		w := want.Recoveries[i]
		if r.Recovered != w.Recovered || (r.Why == "") != (w.Why == "") || !strings.Contains(r.Why, w.Why) || (r.Residue == "") != (w.Residue == "") || !strings.Contains(r.Residue, w.Residue) || r.Left != w.Left {
			t.Errorf("got recovery %+v\nwant %+v", r, w)
		}
	}
}

// Two tries of a cell that differ in what the broken step left make the cell worthless, and a try that came to nothing too.
func TestMatrixOfTries(t *testing.T) {
	t.Parallel()
	one := attempt{left: ledger("deployed", "failed"), live: configMap("one", "helm"), recovered: ledger("superseded", "failed", "deployed"), liveInTheEnd: configMap("one", "helm")}
	other := one
	other.left = ledger("deployed")
	m := sweep.Matrix{Step: "v2", Ways: sweep.Ways()}
	add := func(w string, cut sweep.Cut, way sweep.Way, a attempt, problem error) {
		m.Add(sweep.Try{Write: sweep.Write{Verb: "patch", Name: w, Nth: 1}, Cut: cut, Way: way}, a.bundle(), reference(t), problem)
	}
	add("a", sweep.Conflict, sweep.ByRollback, one, nil)
	add("a", sweep.Conflict, sweep.ByUpgrade, one, nil)
	if !m.Conclusive() || len(m.Cells) != 1 || len(m.Cells[0].Recoveries) != 2 || len(m.Lost()) != 0 {
		t.Errorf("two tries alike: %+v", m)
	}
	add("a", sweep.ServerError, sweep.ByRollback, one, nil)
	add("a", sweep.ServerError, sweep.ByUpgrade, other, nil)
	if m.Conclusive() || !strings.Contains(m.Cells[1].Problem, "not leave the same twice") {
		t.Errorf("two tries that differ: %+v", m.Cells[1])
	}
	add("b", sweep.Conflict, sweep.ByRollback, one, errors.New("no cluster"))
	if m.Cells[2].Problem != "no cluster" || !strings.Contains(m.Cells[2].Explanation, "no cluster") {
		t.Errorf("a try that came to nothing: %+v", m.Cells[2])
	}
	one.refused = "no"
	add("b", sweep.ServerError, sweep.ByRollback, one, nil)
	if lost := m.Lost(); len(lost) != 1 || lost[0].Cut != sweep.ServerError {
		t.Errorf("lost: %+v", lost)
	}
}
