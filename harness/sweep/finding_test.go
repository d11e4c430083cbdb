package sweep_test

import (
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/sweep"
)

// TestFindings: each ending has a name, a grade, and one or two sentences that say why it is so.
func TestFindings(t *testing.T) {
	t.Parallel()
	const busy = "another operation (install/upgrade/rollback) is in progress"
	good := attempt{
		outcome: "refused", left: ledger("deployed", "failed"), live: configMap("one", "helm"),
		recovered: ledger("superseded", "superseded", "deployed"), liveInTheEnd: configMap("one", "helm"),
	}
	for name, test := range map[string]struct {
		cut    sweep.Cut
		change func(*attempt)
		grade  sweep.Grade
		name   string
		// why is what the first sentence says.
		why string
		out string // and what the second does
	}{
		"refused, nothing applied": {sweep.Conflict, func(*attempt) {}, sweep.Clean, "failed, live as before", "met an error and marked its revision failed, with all objects still the old ones", "A plain rollback applies a whole manifest under a new revision, and recovers it"},
		"refused, all applied":     {sweep.Conflict, func(a *attempt) { a.live = configMap("two", "helm") }, sweep.Clean, "failed, live as after", "with all objects the new ones", "recovers it"},
		"refused, half applied":    {sweep.ServerError, func(a *attempt) { a.live = configMap("three", "helm") }, sweep.Clean, "failed, live a mixture", "some objects the new ones and others not", "recovers it"},
		"nothing stored, killed":   {sweep.KilledBefore, func(a *attempt) { a.left = ledger("deployed") }, sweep.Clean, "nothing stored, live as before", "was killed before that: nothing had begun", "recovers it"},
		"nothing stored, refused":  {sweep.Conflict, func(a *attempt) { a.left = ledger("deployed") }, sweep.Clean, "nothing stored, live as before", "that failed, and it gave up: nothing had begun", "recovers it"},
		"killed, a record stays": {sweep.KilledAfter, func(a *attempt) {
			a.left, a.recovered = ledger("deployed", "pending-upgrade"), ledger("superseded", "pending-upgrade", "deployed")
		}, sweep.Partly, "left pending, live as before", "takes the pending mark off its revision, when it ends, and it was killed", "nothing tidies the record of the broken revision"},
		"lost, a record stays":       {sweep.ResponseLost, func(a *attempt) { a.left = ledger("deployed", "pending-upgrade") }, sweep.Clean, "left pending, live as before", "gave up without marking it failed", "recovers it"},
		"pending, but a success":     {sweep.ResponseLost, func(a *attempt) { a.outcome, a.left = "", ledger("deployed", "pending-upgrade") }, sweep.Clean, "left pending, live as before", "took the operation for a success", "recovers it"},
		"refused by what pends":      {sweep.KilledAfter, func(a *attempt) { a.refused = busy; a.left = ledger("deployed", "pending-upgrade") }, sweep.Lost, "left pending, live as before", "killed", "refused as long as the newest revision is pending"},
		"refused for another reason": {sweep.KilledAfter, func(a *attempt) { a.refused = "no" }, sweep.Lost, "failed, live as before", "had marked its revision failed when it was killed", "does not recover it, for the reason that the cell tells"},
		"got over it": {sweep.Conflict, func(a *attempt) {
			a.outcome, a.left, a.live = "", ledger("superseded", "deployed"), configMap("two", "helm")
		}, sweep.Clean, "deployed, live as after", "tried the write again or did without it", "recovers it"},
		"killed in the end":       {sweep.KilledAfter, func(a *attempt) { a.left, a.live = ledger("superseded", "deployed"), configMap("two", "helm") }, sweep.Clean, "deployed, live as after", "had marked its revision deployed when it was killed", "recovers it"},
		"an error in the end":     {sweep.ServerError, func(a *attempt) { a.left, a.live = ledger("superseded", "deployed"), configMap("two", "helm") }, sweep.Clean, "deployed, live as after", "reported an error although its revision is deployed", "recovers it"},
		"two deployed":            {sweep.KilledAfter, func(a *attempt) { a.left = ledger("deployed", "deployed") }, sweep.Clean, "deployed twice, live as before", "in two writes, and was stopped between them", "recovers it"},
		"two deployed, a success": {sweep.Conflict, func(a *attempt) { a.outcome, a.left = "", ledger("deployed", "deployed") }, sweep.Clean, "deployed twice, live as before", "could not be marked superseded", "recovers it"},
		"another status":          {sweep.KilledAfter, func(a *attempt) { a.left = ledger("deployed", "unknown") }, sweep.Clean, "unknown, live as before", "left its revision unknown", "recovers it"},
		"unreadable":              {sweep.KilledAfter, func(a *attempt) { a.left.Unreadable = map[string]string{"sh.helm.release.v1.shop.v2": "no"} }, sweep.Clean, "a record unreadable, live as before", "cannot be read any more", "recovers it"},
		"not fired":               {sweep.KilledAfter, func(a *attempt) { a.notFired = true }, sweep.Unsaid, "no finding", "speaks neither for Helm nor against it", "the cell says what went wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := good
			test.change(&a)
			m := sweep.Matrix{Step: "v2", Ways: sweep.Ways()}
			m.Add(sweep.Try{Cut: test.cut, Way: sweep.ByRollback}, a.bundle(), reference(t), nil)
			c := m.Cells[0]
			if c.Grade != test.grade || c.Finding.Name != test.name {
				t.Errorf("it is %q: %q, want %q: %q", c.Grade, c.Finding.Name, test.grade, test.name)
			}
			if !strings.Contains(c.Finding.Why, test.why) || !strings.Contains(c.Finding.Why, test.out) {
				t.Errorf("it is so because %q, want %q and %q", c.Finding.Why, test.why, test.out)
			}
			if n := strings.Count(c.Finding.Why, ". ") + 1; n > 2 || !strings.HasSuffix(c.Finding.Why, ".") {
				t.Errorf("%q has %d sentences, want one or two", c.Finding.Why, n)
			}
		})
	}
}

// Cells with the same finding are one group, and the gravest group comes first.
func TestGroups(t *testing.T) {
	t.Parallel()
	one := attempt{outcome: "no", left: ledger("deployed", "failed"), live: configMap("one", "helm"), recovered: ledger("superseded", "failed", "deployed"), liveInTheEnd: configMap("one", "helm")}
	lost := one
	lost.refused = "no"
	m := sweep.Matrix{Step: "v2", Ways: sweep.Ways()}
	for i, a := range []attempt{one, lost, one} {
		m.Add(sweep.Try{Write: sweep.Write{Nth: i + 1}, Cut: sweep.Conflict, Way: sweep.ByRollback}, a.bundle(), reference(t), nil)
	}
	groups := m.Groups()
	if len(groups) != 2 || groups[0].Grade != sweep.Lost || len(groups[0].Cells) != 1 || len(groups[1].Cells) != 2 || groups[1].Cells[1].Write.Nth != 3 {
		t.Errorf("groups: %+v", groups)
	}
}

// A step that comes after others has their revisions in the ledger: those are not its own.
func TestEndingOfALaterStep(t *testing.T) {
	t.Parallel()
	b := whole()
	b.Snapshots = []evidence.Snapshot{
		snapshot("v1", ledger("superseded", "deployed"), configMap("two", "helm")),
		snapshot("v2", ledger("superseded", "superseded", "deployed"), configMap("one", "helm")),
	}
	ref, err := sweep.NewReference(b, "v2", "helm")
	if err != nil {
		t.Fatal(err)
	}
	a := attempt{outcome: "no", left: ledger("superseded", "deployed"), live: configMap("two", "helm"), recovered: ledger("superseded", "deployed"), liveInTheEnd: configMap("two", "helm")}
	m := sweep.Matrix{Step: "v2", Ways: sweep.Ways()}
	m.Add(sweep.Try{Cut: sweep.Conflict, Way: sweep.ByRollback}, a.bundle(), ref, nil)
	if got := m.Cells[0].Finding.Name; got != "nothing stored, live as before" {
		t.Errorf("it is %q", got)
	}
}
