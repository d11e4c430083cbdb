package assert

import (
	"fmt"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
)

// judgeSame compares the ownership of every target that has the field with that at the end of an earlier step.
func (j *ownershipJudge) judgeSame(then evidence.Snapshot) {
	refs := j.bothTargets(then)
	if len(refs) == 0 {
		j.r.miss("%s matches nothing at the end of step %q or %q", j.name(), then.Step, j.now.Step)
	}
	compared := false
	defer func() { j.r.failAll(j.found) }()
	for _, want := range refs {
		before, after := exact(then, want), exact(j.now, want)
		switch {
		case !j.has(before) && !j.has(after):
			continue
		case before == nil:
			j.report(want, nil, false, fmt.Sprintf("%s: it was not there at the end of step %q", want, then.Step))
		case after == nil:
			j.report(want, nil, false, fmt.Sprintf("%s: it was there at the end of step %q and is gone", want, then.Step))
		default:
			j.compare(want, before, after, then.Step)
		}
		compared = true
	}
	if len(refs) > 0 && !compared {
		j.r.miss("%s has no field %s at the end of step %q or %q", j.name(), j.path, then.Step, j.now.Step)
	}
}

// bothTargets are the references of the targets of either step, in order.
func (j *ownershipJudge) bothTargets(then evidence.Snapshot) []evidence.Ref {
	if j.spec.Object == "" {
		return j.releaseTargets(then)
	}
	var refs []evidence.Ref
	for _, s := range []evidence.Snapshot{j.now, then} {
		o, err := j.v.find(s, j.spec.Object)
		if err != nil {
			j.r.miss("%v", err)
		}
		if o != nil {
			refs = addRef(refs, refOf(o))
		}
	}
	return refs
}

// releaseTargets are those of either step's newest revision; what is there at the end of neither is noted.
func (j *ownershipJudge) releaseTargets(then evidence.Snapshot) []evidence.Ref {
	var refs, missing []evidence.Ref
	where := fmt.Sprintf("step %q or %q", then.Step, j.now.Step)
	for _, steps := range [][2]evidence.Snapshot{{j.now, then}, {then, j.now}} {
		rev, _ := revision(steps[0].Ledger, 0)
		for _, m := range rev.Manifest {
			o := inSnapshot(steps[0], m)
			if o == nil {
				o = inSnapshot(steps[1], m)
			}
			switch want := refOf(m); {
			case o != nil:
				refs = addRef(refs, refOf(o))
			case !slices.Contains(missing, want):
				if j.v.passOver(steps[0], absentee{rev, m, where}, j.r) {
					missing = append(missing, want)
				}
			}
		}
	}
	return refs
}

// addRef adds a reference without its UID and version, which may differ between steps.
func addRef(refs []evidence.Ref, r evidence.Ref) []evidence.Ref {
	r.UID, r.Version = "", ""
	if slices.Contains(refs, r) {
		return refs
	}
	return append(refs, r)
}

func exact(s evidence.Snapshot, want evidence.Ref) map[string]any {
	for _, o := range s.Objects {
		if sameName(refOf(o), want) {
			return o
		}
	}
	return nil
}

func (j *ownershipJudge) compare(want evidence.Ref, before, after map[string]any, step string) {
	changes, err := ownership.Diff(before, after)
	if err != nil {
		j.r.miss("%v", err)
		return
	}
	var left []ownership.Change
	for _, c := range changes {
		if c = j.disallowed(want, c); len(c.Gained)+len(c.Lost) > 0 && j.asked(c.Path) {
			left = append(left, c)
		}
	}
	for _, c := range ownership.Collapse(left) {
		j.report(want, c.Path, true, fmt.Sprintf("%s %s, compared with step %q", want, c, step))
	}
}

func (j *ownershipJudge) report(object evidence.Ref, path ownership.Path, owners bool, text string) {
	j.found = append(j.found, finding{text, func() string { return j.v.since(j.now, object, path, owners, j.r) }})
}

// asked leaves out what controllers write all the time, unless the assertion asks for it: the status.
func (j *ownershipJudge) asked(path ownership.Path) bool {
	if len(j.path) > 0 {
		return j.path.Covers(path)
	}
	return path[0].Field != "status"
}

// disallowed is what is left of a change once the stated allowances are taken away.
func (j *ownershipJudge) disallowed(want evidence.Ref, c ownership.Change) ownership.Change {
	allowed := func(m ownership.Manager) bool {
		return slices.ContainsFunc(j.spec.Allow, func(a v1alpha1.Allowance) bool {
			return j.v.allows(a, want, c.Path) && (a.Manager == "" || a.Manager == m.Name)
		})
	}
	c.Gained = slices.DeleteFunc(slices.Clone(c.Gained), allowed)
	c.Lost = slices.DeleteFunc(slices.Clone(c.Lost), allowed)
	return c
}

// allows tells whether an allowance is about this object and field.
func (v *View) allows(a v1alpha1.Allowance, object evidence.Ref, path ownership.Path) bool {
	if !v.fitsRef(a.Object, object) {
		return false
	}
	top, err := ownership.ParsePath(a.Field)
	return err == nil && top.Covers(path)
}
