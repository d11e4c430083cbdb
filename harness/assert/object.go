package assert

import (
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func objectEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "object",
		Summary: "Fields of one object, that it is the same object as before, or that it does not exist.",
		Example: `object:
  at: back
  object: Deployment/backend
  match: {spec: {replicas: 5}}
  sameUID: v1
`,
		NewSpec:  func() any { return &v1alpha1.ObjectMatch{} },
		Validate: validated(validateObject),
		Code:     typed(judgeObject),
	}
}

func validateObject(o *v1alpha1.ObjectMatch) []registry.Problem {
	if o.Absent && (o.Match != nil || o.SameUID != "") {
		return []registry.Problem{{Path: "absent", Message: "an object that must not exist has neither fields nor a UID: remove match and sameUID"}}
	}
	if o.SameUID != "" && o.SameUID == o.At {
		return []registry.Problem{{Path: "sameUID", Message: "is the step that is judged; name another one"}}
	}
	return nil
}

func judgeObject(v *View, spec *v1alpha1.ObjectMatch) Result {
	var r Result
	s, ok := v.snapshot(spec.At, &r)
	if !ok {
		return r
	}
	o, err := v.find(s, spec.Object)
	switch {
	case err != nil:
		r.miss("%v", err)
	case spec.Absent && o != nil:
		r.fail("%s must not exist, but does%s%s", spec.Object, deleting(o), v.since(s, refOf(o), nil, false, &r))
	case spec.Absent && v.unwatched(spec.Object, &r):
	case spec.Absent && !v.known(spec.Object):
		r.miss("%s matches nothing: no evidence names such an object", spec.Object)
	case spec.Absent:
	case o == nil:
		v.gone(spec.Object, s, &r)
	default:
		v.judgeFields(s, o, spec, &r)
		v.judgeUID(s, o, spec, &r)
	}
	return r
}

func deleting(o map[string]any) string {
	if metaText(o, "deletionTimestamp") != "" {
		return " (it is being deleted)"
	}
	return ""
}

func (v *View) judgeFields(s evidence.Snapshot, o map[string]any, spec *v1alpha1.ObjectMatch, r *Result) {
	c := newComparer(o)
	c.partial = true
	for _, d := range c.object(spec.Match) {
		if d.hidden {
			r.miss("%s %s is a secret value, which the evidence holds as a hash", spec.Object, d.path)
			continue
		}
		r.fail("%s %s: expected %s, seen %s%s", spec.Object, d.path, d.want, d.seen, v.since(s, refOf(o), d.path, false, r))
	}
}

func (v *View) judgeUID(s evidence.Snapshot, o map[string]any, spec *v1alpha1.ObjectMatch, r *Result) {
	if spec.SameUID == "" {
		return
	}
	then, ok := v.other(spec.SameUID, r)
	if !ok {
		return
	}
	before, err := v.find(then, spec.Object)
	switch {
	case err != nil:
		r.miss("%v", err)
	case before == nil:
		r.miss("%s does not exist at the end of step %q", spec.Object, spec.SameUID)
	case refOf(before).UID == "" || refOf(o).UID == "":
		r.miss("the snapshots do not hold the UID of %s", spec.Object)
	case refOf(before).UID != refOf(o).UID:
		r.fail("%s is not the object of step %q: it was deleted and made again%s", spec.Object, spec.SameUID, v.madeSince(refOf(o), r))
	}
}

// madeSince says when the object with this UID was first seen.
func (v *View) madeSince(object evidence.Ref, r *Result) string {
	for _, e := range v.track(func(r evidence.Ref) bool { return sameName(r, object) }).versions {
		if e.Object.Ref.UID == object.UID {
			r.rest(e.Seq)
			return ", " + ownership.Since{Seq: e.Seq, Step: e.Step, At: e.At}.String()
		}
	}
	return ""
}

// gone says of an object that is not in a snapshot whether it ever was.
func (v *View) gone(text string, s evidence.Snapshot, r *Result) {
	if v.unwatched(text, r) {
		return
	}
	if seen := v.track(v.fitter(text)).versions; len(seen) > 0 {
		last := seen[len(seen)-1].Object.Ref
		r.fail("%s does not exist at the end of step %q%s", text, r.Step, v.since(s, last, nil, false, r))
		return
	}
	if v.known(text) {
		r.fail("%s does not exist at the end of step %q, nor was it ever seen", text, r.Step)
		return
	}
	r.miss("%s matches nothing: no evidence names such an object", text)
}

// unwatched tells whether an object was not watched, or objects of its kind could not be from the start.
func (v *View) unwatched(text string, r *Result) bool {
	want, err := ref.Parse(text)
	if err != nil {
		return false
	}
	if v.outside(want) {
		r.miss("%s is outside of the scenario's namespace and was not watched", text)
		return true
	}
	return v.gap(nil, r, want.Kind)
}

// outside tells whether nobody watched an object: it is in another namespace, or an actor wrote to it outside of any, the
// run did not watch it besides, and nothing was ever told of it.
func (v *View) outside(want ref.Ref) bool {
	home := v.Bundle.Variant.Namespace
	means := func(r evidence.Ref) bool { return v.means(want, r) }
	elsewhere := want.Namespace != "" && want.Namespace != home
	if want.Namespace == "" {
		elsewhere = slices.ContainsFunc(v.Bundle.Timeline, func(e evidence.Event) bool {
			return e.Write != nil && e.Write.Ref.Namespace == "" && means(e.Write.Ref)
		})
	}
	if !elsewhere || len(v.track(means).versions) > 0 {
		return false
	}
	return !slices.ContainsFunc(v.Bundle.Variant.Also, func(text string) bool {
		also, err := ref.Parse(text)
		sameGroup := also.Group == want.Group || also.Group == "" || want.Group == ""
		return err == nil && also.Kind == want.Kind && also.Name == want.Name && also.Namespace == want.Namespace && sameGroup
	})
}
