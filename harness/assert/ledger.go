package assert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func ledgerEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "ledger",
		Summary: "What Helm's storage holds: at most one deployed revision, none pending, none unreadable, and what else is stated.",
		Example: `ledger:
  at: back
  deployed: 3
  statuses: {1: superseded, 2: superseded}
  applyMethod: unchanged
  reachable: [1]
`,
		NewSpec:  func() any { return &v1alpha1.Ledger{} },
		Validate: validated(validateLedger),
		Code:     typed(judgeLedger),
	}
}

var statuses = []string{
	"unknown", "deployed", "uninstalled", "superseded", "failed", "uninstalling",
	"pending-install", "pending-upgrade", "pending-rollback",
}

func validateLedger(l *v1alpha1.Ledger) []registry.Problem {
	var problems []registry.Problem
	if l.Deployed != nil && *l.Deployed < 0 {
		problems = append(problems, registry.Problem{Path: "deployed", Message: "must be a revision, or 0 for none"})
	}
	for _, rev := range slices.Sorted(maps.Keys(l.Statuses)) {
		at := fmt.Sprintf("statuses[%d]", rev)
		if rev < 1 {
			problems = append(problems, registry.Problem{Path: at, Message: "revisions count from 1"})
		}
		if status := l.Statuses[rev]; !slices.Contains(statuses, status) {
			message := fmt.Sprintf("%q is no status of Helm%s", status, registry.Hint(status, statuses))
			problems = append(problems, registry.Problem{Path: at, Message: message})
		}
	}
	for _, rev := range slices.Sorted(maps.Keys(l.Descriptions)) {
		if rev < 1 {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("descriptions[%d]", rev), Message: "revisions count from 1"})
		}
		if l.Descriptions[rev] == "" {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("descriptions[%d]", rev), Message: "any description contains an empty text; state some"})
		}
	}
	for i, rev := range l.Reachable {
		if rev < 1 {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("reachable[%d]", i), Message: "revisions count from 1"})
		}
	}
	return problems
}

func judgeLedger(v *View, spec *v1alpha1.Ledger) Result {
	var r Result
	s, ok := v.snapshot(spec.At, &r)
	if !ok {
		return r
	}
	l := s.Ledger
	if len(l.Revisions) == 0 && len(l.Unreadable) == 0 && !(spec.Deployed != nil && *spec.Deployed == 0) {
		if v.everStored() {
			r.fail("Helm's storage holds no revision of %s%s", l.Release, v.ledgerSince(r.Step, func(l evidence.Ledger) bool {
				return len(l.Revisions) == 0 && len(l.Unreadable) == 0
			}))
		} else {
			r.miss("Helm's storage never held a revision of %s", l.Release)
		}
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(l.Unreadable)) {
		since := v.ledgerSince(r.Step, func(l evidence.Ledger) bool { return l.Unreadable[name] != "" })
		r.fail("the stored record %s cannot be read%s: %s", name, since, l.Unreadable[name])
	}
	v.judgeDeployed(l, spec, &r)
	for _, rev := range l.Revisions {
		if strings.HasPrefix(rev.Status, "pending-") && !spec.AllowPending && spec.Statuses[rev.Revision] != rev.Status {
			r.fail("revision %d is stuck in %s%s", rev.Revision, rev.Status, v.statusSince(rev, r.Step))
		}
	}
	v.judgeStated(l, spec, &r)
	v.judgeApplyMethod(l, spec.ApplyMethod, &r)
	return r
}

// judgeStated holds single revisions to what is stated of them.
func (v *View) judgeStated(l evidence.Ledger, spec *v1alpha1.Ledger, r *Result) {
	for _, n := range slices.Sorted(maps.Keys(spec.Statuses)) {
		v.judgeStatus(l, n, spec.Statuses[n], r)
	}
	for _, n := range slices.Sorted(maps.Keys(spec.Descriptions)) {
		v.judgeDescription(l, n, spec.Descriptions[n], r)
	}
	for _, n := range spec.Reachable {
		if _, ok := stored(l, n); !ok {
			r.fail("revision %d cannot be rolled back to: it %s", n, v.lackOf(l, n, r.Step))
		}
	}
}

func (v *View) judgeDeployed(l evidence.Ledger, spec *v1alpha1.Ledger, r *Result) {
	var deployed []evidence.Revision
	for _, rev := range l.Revisions {
		if rev.Status == "deployed" {
			deployed = append(deployed, rev)
		}
	}
	texts := make([]string, len(deployed))
	for i, rev := range deployed {
		texts[i] = fmt.Sprintf("%d%s", rev.Revision, v.statusSince(rev, r.Step))
	}
	seen := strings.Join(texts, " and ")
	if len(deployed) == 0 {
		seen = "none" + v.ledgerSince(r.Step, func(l evidence.Ledger) bool {
			return !slices.ContainsFunc(l.Revisions, func(rev evidence.Revision) bool { return rev.Status == "deployed" })
		})
	}
	switch want := spec.Deployed; {
	case want == nil && len(deployed) > 1 && slices.ContainsFunc(deployed, func(rev evidence.Revision) bool { return spec.Statuses[rev.Revision] != rev.Status }):
		r.fail("expected at most one deployed revision, seen %s", seen)
	case want == nil:
	case *want == 0 && len(deployed) > 0:
		r.fail("expected no deployed revision, seen %s", seen)
	case *want > 0 && (len(deployed) != 1 || deployed[0].Revision != *want):
		r.fail("expected revision %d alone to be deployed, seen %s (storage holds %s)", *want, seen, stock(l))
	}
}

func (v *View) judgeStatus(l evidence.Ledger, number int, want string, r *Result) {
	rev, ok := stored(l, number)
	switch {
	case !ok:
		r.fail("revision %d: expected %s, but it %s", number, want, v.lackOf(l, number, r.Step))
	case rev.Status != want:
		r.fail("revision %d: expected %s, seen %s%s", number, want, rev.Status, v.statusSince(rev, r.Step))
	}
}

func (v *View) judgeDescription(l evidence.Ledger, number int, want string, r *Result) {
	rev, ok := stored(l, number)
	switch {
	case !ok:
		r.fail("revision %d: expected a description with %q, but it %s", number, want, v.lackOf(l, number, r.Step))
	case !strings.Contains(rev.Description, want):
		since := v.firstSeen(r.Step, func(r evidence.Revision) bool { return r.Revision == number && r.Description == rev.Description })
		r.fail("revision %d: expected a description with %q, seen %q%s", number, want, rev.Description, since)
	}
}

func (v *View) judgeApplyMethod(l evidence.Ledger, want string, r *Result) {
	if want == "" {
		return
	}
	newest, ok := revision(l, 0)
	if !ok {
		r.miss("there is no revision whose apply method could be told")
		return
	}
	expected := want
	if want == "unchanged" {
		first, _ := v.firstRevision() // there is the newest, if no other
		if first.Revision == newest.Revision {
			r.miss("revision %d is the only one: there is none that its apply method could have changed from", newest.Revision)
			return
		}
		expected = applyMethod(first)
	}
	if seen := applyMethod(newest); seen != expected {
		since := v.firstSeen(r.Step, func(rev evidence.Revision) bool { return rev.Revision == newest.Revision && applyMethod(rev) == seen })
		r.fail("revision %d: expected apply method %s (%s), seen %s,%s", newest.Revision, expected, want, seen, since)
	}
}

// applyMethod reads the releases of Helm 3, which store none, as what they are.
func applyMethod(rev evidence.Revision) string {
	return cmp.Or(rev.ApplyMethod, "csa")
}

// firstRevision is the lowest revision in any snapshot.
func (v *View) firstRevision() (evidence.Revision, bool) {
	var first evidence.Revision
	for _, s := range v.Bundle.Snapshots {
		for _, rev := range s.Ledger.Revisions {
			if first.Revision == 0 || rev.Revision < first.Revision {
				first = rev
			}
		}
	}
	return first, first.Revision > 0
}

func (v *View) everStored() bool {
	_, ok := v.firstRevision()
	return ok
}

// statusSince says at the end of which step a revision was first seen in the status that it has kept until step.
func (v *View) statusSince(rev evidence.Revision, step string) string {
	return v.firstSeen(step, func(r evidence.Revision) bool { return r.Revision == rev.Revision && r.Status == rev.Status })
}

// lackOf says of a revision that is not there at the end of a step since when it has been lacking, and what is there.
func (v *View) lackOf(l evidence.Ledger, number int, step string) string {
	there := func(l evidence.Ledger) bool { _, ok := stored(l, number); return ok }
	lack := "is not in storage, and was at the end of no step"
	if slices.ContainsFunc(v.Bundle.Snapshots, func(s evidence.Snapshot) bool { return there(s.Ledger) }) {
		lack = "has not been in storage" + v.ledgerSince(step, func(l evidence.Ledger) bool { return !there(l) })
	}
	return lack + "; storage holds " + stock(l)
}

// firstSeen is ledgerSince for a revision that is so.
func (v *View) firstSeen(step string, so func(evidence.Revision) bool) string {
	return v.ledgerSince(step, func(l evidence.Ledger) bool { return slices.ContainsFunc(l.Revisions, so) })
}

// ledgerSince says at the end of which step the ledger was first seen to be as it has been until step.
func (v *View) ledgerSince(step string, so func(evidence.Ledger) bool) string {
	return fmt.Sprintf(" since step %q", v.firstStep(step, so))
}

// firstStep goes back from a step for as long as each snapshot's ledger is so; one that could not be read tells nothing.
func (v *View) firstStep(step string, so func(evidence.Ledger) bool) string {
	since := step
	unread := func(text string) bool { return strings.HasPrefix(text, "ledger:") }
	at := slices.IndexFunc(v.Bundle.Snapshots, func(s evidence.Snapshot) bool { return s.Step == step })
	for i := at; i >= 0; i-- {
		if s := v.Bundle.Snapshots[i]; slices.ContainsFunc(s.Incomplete, unread) || !so(s.Ledger) {
			break
		}
		since = v.Bundle.Snapshots[i].Step
	}
	return since
}

func stored(l evidence.Ledger, number int) (evidence.Revision, bool) {
	for _, rev := range l.Revisions {
		if rev.Revision == number {
			return rev, true
		}
	}
	return evidence.Revision{}, false
}

// stock lists what storage holds: "1 superseded, 2 deployed".
func stock(l evidence.Ledger) string {
	if len(l.Revisions) == 0 {
		return "nothing"
	}
	sorted := slices.SortedFunc(slices.Values(l.Revisions), func(a, b evidence.Revision) int { return cmp.Compare(a.Revision, b.Revision) })
	texts := make([]string, len(sorted))
	for i, rev := range sorted {
		texts[i] = fmt.Sprintf("%d %s", rev.Revision, rev.Status)
	}
	return strings.Join(texts, ", ")
}
