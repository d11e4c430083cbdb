package assert

import (
	"slices"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
)

// unseen tells whether an object of a manifest that no snapshot holds may be there all the same, and says why.
func (v *View) unseen(want evidence.Ref, r *Result) bool {
	switch {
	case want.Name == "":
		r.miss("an object of kind %s has no name of its own in the manifest (generateName), so it cannot be found", want.Kind)
	case want.Kind == "Event" && slices.Contains([]string{"", "events.k8s.io"}, want.Group):
		r.miss("%s is an Event, which the evidence does not hold as an object", want)
	case v.outside(ref.Ref{Kind: want.Kind, Group: want.Group, Namespace: want.Namespace, Name: want.Name}):
		r.miss("%s is in namespace %s, which is not watched", want, want.Namespace)
	default:
		return v.gap(nil, r, want.Kind)
	}
	return true
}

// goneSince says since when an object of a manifest has not been there.
func (v *View) goneSince(s evidence.Snapshot, want evidence.Ref, r *Result) string {
	seen := v.track(func(live evidence.Ref) bool { return sameObject(want, live, s.Ledger.Namespace) }).versions
	if len(seen) == 0 {
		return ", nor was it ever seen"
	}
	return v.since(s, seen[len(seen)-1].Object.Ref, nil, false, r)
}

// unmade tells whether a revision may lack an object of its manifest at the end of a step: it was uninstalled, or it did
// not succeed and nothing of the name was there since it began, so that Helm had not come to make it.
func (v *View) unmade(s evidence.Snapshot, rev evidence.Revision, want evidence.Ref) bool {
	switch rev.Status {
	case "deployed", "superseded":
		return false
	case "uninstalled", "uninstalling":
		return true
	}
	first := v.windows[v.firstStep(s.Step, func(l evidence.Ledger) bool { _, ok := stored(l, rev.Revision); return ok })]
	if first == nil {
		return false
	}
	_, begin := first.begin()
	there := false
	for _, e := range v.track(func(live evidence.Ref) bool { return sameObject(want, live, s.Ledger.Namespace) }).versions {
		exists := e.Object.Change != evidence.Deleted
		switch {
		case e.Seq < begin:
			there = exists
		case exists && e.Seq <= v.until(s):
			return false
		}
	}
	return !there
}

// absentee is an object of a revision's manifest that is not there.
type absentee struct {
	rev      evidence.Revision
	manifest map[string]any
	// where says at the end of which steps it is missing.
	where string
}

// passOver says of an object that is not judged, because it is not there, why not; it tells whether it did, as the object
// may be one that need not be there.
func (v *View) passOver(s evidence.Snapshot, a absentee, r *Result) bool {
	want := refOf(a.manifest)
	if v.unseen(want, r) {
		return true
	}
	if v.unmade(s, a.rev, want) {
		return false
	}
	since := ""
	if len(r.Missing) < maxFindings { // more are not shown, and it takes long
		since = v.goneSince(s, want, r)
	}
	r.miss("%s is in the manifest of revision %d but does not exist at the end of %s%s", want, a.rev.Revision, a.where, since)
	return true
}
