package assert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func liveEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "live",
		Summary: "The cluster holds what a revision's manifest says, and nothing else of the release.",
		Example: `live:
  at: back
  ignore: [{object: Deployment/backend, field: .spec.replicas, manager: hpa}]
  allowExtra: [ConfigMap/kept]
  strict: true
`,
		NewSpec:  func() any { return &v1alpha1.Live{} },
		Validate: validated(validateLive),
		Code:     typed(judgeLive),
	}
}

func validateLive(l *v1alpha1.Live) []registry.Problem {
	problems := validateAllowances("ignore", l.Ignore)
	if l.Revision < 0 {
		problems = append(problems, registry.Problem{Path: "revision", Message: "must be a revision, or 0 for the newest"})
	}
	for i, name := range l.AllowExtra {
		if _, err := ref.Parse(name); err != nil {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("allowExtra[%d]", i), Message: err.Error()})
		}
	}
	return problems
}

func judgeLive(v *View, spec *v1alpha1.Live) Result {
	var r Result
	s, ok := v.snapshot(spec.At, &r)
	if !ok {
		return r
	}
	rev, ok := revision(s.Ledger, spec.Revision)
	switch {
	case !ok && spec.Revision > 0:
		r.miss("revision %d is not in storage at the end of step %q, which holds %s", spec.Revision, r.Step, stock(s.Ledger))
		return r
	case !ok:
		r.miss("Helm's storage holds no revision at the end of step %q", r.Step)
		return r
	case len(rev.Manifest) == 0:
		r.miss("the manifest of revision %d is empty", rev.Revision)
	}
	j := &liveJudge{v: v, r: &r, spec: spec, state: s, revision: rev}
	for _, m := range rev.Manifest {
		j.judgeObject(m)
	}
	j.judgeExtra()
	r.failAll(j.found)
	return r
}

// liveJudge is one live assertion at work.
type liveJudge struct {
	v        *View
	r        *Result
	spec     *v1alpha1.Live
	state    evidence.Snapshot
	revision evidence.Revision
	found    []finding
}

// finding is one contradiction; since says since when and by whom, which takes long to find out.
type finding struct {
	text  string
	since func() string
}

// failAll adds findings, and says since when of those that the message will show.
func (r *Result) failAll(all []finding) {
	slices.SortStableFunc(all, func(a, b finding) int { return cmp.Compare(a.text, b.text) })
	for i, f := range all {
		if i < maxFindings {
			f.text += f.since()
		}
		r.Failed = append(r.Failed, f.text)
	}
}

func (j *liveJudge) report(object evidence.Ref, path ownership.Path, text string) {
	j.found = append(j.found, finding{text, func() string { return j.v.since(j.state, object, path, false, j.r) }})
}

func (j *liveJudge) judgeObject(manifest map[string]any) {
	want := refOf(manifest)
	o := inSnapshot(j.state, manifest)
	switch {
	case o == nil && j.v.unseen(want, j.r):
		return
	case o == nil:
		j.found = append(j.found, finding{fmt.Sprintf("%s is in the manifest of revision %d but does not exist", want, j.revision.Revision), func() string {
			return j.v.goneSince(j.state, want, j.r)
		}})
		return
	case refOf(o).Version != want.Version:
		j.r.miss("%s is %s in the manifest but was watched as %s, so their fields cannot be compared", want, want.Version, refOf(o).Version)
		return
	}
	c := newComparer(o)
	c.strict = j.spec.Strict
	for _, d := range c.object(claims(manifest)) {
		j.judgeDifference(o, d)
	}
}

// claims is what a manifest says about the live object: without what only names it or what no manifest can set, and
// with a Secret's stringData as the API server stores it.
func claims(manifest map[string]any) map[string]any {
	out := maps.Clone(manifest)
	for _, field := range []string{"apiVersion", "kind", "status"} {
		delete(out, field)
	}
	if meta, ok := out["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		for _, field := range []string{"name", "namespace", "creationTimestamp", "managedFields", "resourceVersion", "uid", "generation"} {
			delete(meta, field)
		}
		out["metadata"] = meta
	}
	if text, ok := out["stringData"].(map[string]any); ok && manifest["kind"] == "Secret" {
		data, _ := out["data"].(map[string]any)
		data = maps.Clone(data)
		if data == nil {
			data = map[string]any{}
		}
		maps.Copy(data, text)
		out["data"] = data
		delete(out, "stringData")
	}
	return out
}

func (j *liveJudge) judgeDifference(o map[string]any, d difference) {
	if j.ignored(o, d.path) {
		return
	}
	object := refOf(o)
	if d.extra {
		j.report(object, d.path, fmt.Sprintf("%s %s: revision %d lacks it, seen %s", object, d.path, j.revision.Revision, d.seen))
		return
	}
	j.report(object, d.path, fmt.Sprintf("%s %s: expected %s (revision %d), seen %s", object, d.path, d.want, j.revision.Revision, d.seen))
}

// ignored tells whether a field may differ: for an allowance with a manager, whether that manager owns it.
func (j *liveJudge) ignored(o map[string]any, path ownership.Path) bool {
	return slices.ContainsFunc(j.spec.Ignore, func(a v1alpha1.Allowance) bool {
		if !j.v.allows(a, refOf(o), path) {
			return false
		}
		if a.Manager == "" {
			return true
		}
		owners, err := ownership.Owners(o, path)
		return err == nil && slices.ContainsFunc(owners, func(owner ownership.Owner) bool { return owner.Name == a.Manager })
	})
}

// judgeExtra reports live objects that say they are the release's and are neither in the manifest nor hooks. Of a kind that
// some revision names and that could not be watched it cannot tell.
func (j *liveJudge) judgeExtra() {
	l := j.state.Ledger
	for _, kind := range j.v.everNamed(j.state) {
		j.v.gap(nil, j.r, kind)
	}
	for _, o := range j.state.Objects {
		if annotation(o, "meta.helm.sh/release-name") != l.Release || annotation(o, "meta.helm.sh/release-namespace") != l.Namespace {
			continue
		}
		object := refOf(o)
		if controlled(o) || j.expected(object) || slices.ContainsFunc(j.spec.AllowExtra, func(text string) bool { return j.v.fitsRef(text, object) }) {
			continue
		}
		kept := ""
		if annotation(o, "helm.sh/resource-policy") == "keep" {
			kept = " (its resource policy is keep)"
		}
		j.report(object, nil, fmt.Sprintf("%s carries the annotations of release %s but is not in the manifest of revision %d%s%s",
			object, l.Release, j.revision.Revision, kept, deleting(o)))
	}
}

// everNamed are the kinds in the manifests of the release's revisions up to a snapshot.
func (v *View) everNamed(upTo evidence.Snapshot) []string {
	kinds := map[string]bool{}
	for _, s := range v.Bundle.Snapshots {
		if s.At > upTo.At {
			continue
		}
		for _, rev := range s.Ledger.Revisions {
			for _, m := range rev.Manifest {
				kind, _ := m["kind"].(string)
				kinds[kind] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// controlled tells whether another object made this one: a Deployment's ReplicaSets inherit its annotations.
func controlled(o map[string]any) bool {
	meta, _ := o["metadata"].(map[string]any)
	owners, _ := meta["ownerReferences"].([]any)
	return slices.ContainsFunc(owners, func(owner any) bool {
		m, _ := owner.(map[string]any)
		return m["controller"] == true
	})
}

// expected tells whether an object is in the manifest or a hook of any revision.
func (j *liveJudge) expected(object evidence.Ref) bool {
	home := j.state.Ledger.Namespace
	for _, m := range j.revision.Manifest {
		if sameObject(refOf(m), object, home) {
			return true
		}
	}
	for _, rev := range j.state.Ledger.Revisions {
		for _, h := range rev.Hooks {
			if sameObject(h.Ref, object, home) {
				return true
			}
		}
	}
	return false
}
