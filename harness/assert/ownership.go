package assert

import (
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/registry"
)

func ownershipEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "ownership",
		Summary: "Who owns fields, as managedFields say: exactly these managers, none of those, or the same as at the end of another step.",
		Example: `ownership:
  at: back
  object: Deployment/backend
  field: .spec.replicas
  managers: [{name: hpa, operation: Update, subresource: scale}]
`,
		NewSpec:  func() any { return &v1alpha1.Ownership{} },
		Validate: validated(validateOwnership),
		Code:     typed(judgeOwnership),
	}
}

func validateOwnership(o *v1alpha1.Ownership) []registry.Problem {
	var problems []registry.Problem
	if len(o.Managers) == 0 && len(o.Forbidden) == 0 && o.SameAs == "" {
		problems = append(problems, registry.Problem{Message: "states nothing: add managers, forbidden or sameAs"})
	}
	if len(o.Allow) > 0 && o.SameAs == "" {
		problems = append(problems, registry.Problem{Path: "allow", Message: "has an effect with sameAs only"})
	}
	if o.SameAs != "" && o.SameAs == o.At {
		problems = append(problems, registry.Problem{Path: "sameAs", Message: "is the step that is judged, and every step is the same as itself; name another one"})
	}
	problems = append(problems, validatePath("field", o.Field)...)
	return append(problems, validateAllowances("allow", o.Allow)...)
}

func validatePath(field, text string) []registry.Problem {
	if _, err := ownership.ParsePath(text); err != nil {
		return []registry.Problem{{Path: field, Message: err.Error()}}
	}
	return nil
}

func validateAllowances(field string, allow []v1alpha1.Allowance) []registry.Problem {
	var problems []registry.Problem
	for i, a := range allow {
		at := fmt.Sprintf("%s[%d]", field, i)
		if a == (v1alpha1.Allowance{}) {
			problems = append(problems, registry.Problem{Path: at, Message: "would allow everything: state object, field or manager"})
		}
		problems = append(problems, validatePath(at+".field", a.Field)...)
	}
	return problems
}

func judgeOwnership(v *View, spec *v1alpha1.Ownership) Result {
	var r Result
	s, ok := v.snapshot(spec.At, &r)
	if !ok {
		return r
	}
	path, err := ownership.ParsePath(spec.Field)
	if err != nil {
		r.miss("field: %v", err)
		return r
	}
	j := &ownershipJudge{v: v, r: &r, spec: spec, path: path, now: s}
	if len(spec.Managers) > 0 || len(spec.Forbidden) > 0 {
		j.judgeOwners()
	}
	if spec.SameAs == "" {
		return r
	}
	switch then, ok := v.other(spec.SameAs, &r); {
	case ok && then.Step == s.Step:
		r.miss("step %q is compared with itself", s.Step)
	case ok:
		j.judgeSame(then)
	}
	return r
}

// ownershipJudge is one ownership assertion at work.
type ownershipJudge struct {
	v    *View
	r    *Result
	spec *v1alpha1.Ownership
	path ownership.Path
	now  evidence.Snapshot
	// found are the differences from sameAs.
	found []finding
}

func (j *ownershipJudge) judgeOwners() {
	targets := j.targets()
	had := 0
	for _, o := range targets {
		if !j.has(o) {
			continue
		}
		had++
		j.judgeObject(o)
	}
	switch {
	case had > 0 || len(targets) == 0: // targets says why there are none
	case j.hadField() && len(j.spec.Managers) > 0:
		j.r.fail("%s %s: expected %s, but the field is gone%s", j.name(), j.path, managersText(j.spec.Managers), j.sinceGone(targets))
	case j.hadField():
		j.r.miss("%s has no field %s that a manager could own: it is gone%s", j.name(), j.path, j.sinceGone(targets))
	default:
		j.r.miss("%s has no field %s, nor had it at any step", j.name(), j.path)
	}
}

func (j *ownershipJudge) name() string {
	if j.spec.Object == "" {
		return "every object of the release"
	}
	return j.spec.Object
}

// has tells whether an object has the field asked about: a value or an owner. If its owners cannot be read, it may have
// the field.
func (j *ownershipJudge) has(o map[string]any) bool {
	if o == nil {
		return false
	}
	if _, found := ownership.Value(o, j.path); found {
		return true
	}
	owners, err := ownership.Owners(o, j.path)
	return err != nil || len(owners) > 0
}

// sinceGone is said of a single object only.
func (j *ownershipJudge) sinceGone(targets []map[string]any) string {
	if len(targets) != 1 {
		return ""
	}
	return j.v.since(j.now, refOf(targets[0]), j.path, false, j.r)
}

// targets are the objects asked about, as they are now.
func (j *ownershipJudge) targets() []map[string]any {
	if j.spec.Object != "" {
		o, err := j.v.find(j.now, j.spec.Object)
		switch {
		case err != nil:
			j.r.miss("%v", err)
		case o != nil:
			return []map[string]any{o}
		default:
			j.v.gone(j.spec.Object, j.now, j.r)
		}
		return nil
	}
	rev, ok := revision(j.now.Ledger, 0)
	var all []map[string]any
	for _, m := range rev.Manifest {
		if o := inSnapshot(j.now, m); o != nil {
			all = append(all, o)
		} else {
			j.v.passOver(j.now, absentee{rev, m, fmt.Sprintf("step %q", j.now.Step)}, j.r)
		}
	}
	if !ok || len(all) == 0 {
		j.r.miss("the release has no objects at the end of step %q", j.r.Step)
	}
	return all
}

// hadField tells whether the field existed in a target at the end of any step.
func (j *ownershipJudge) hadField() bool {
	for _, s := range j.v.Bundle.Snapshots {
		for _, o := range s.Objects {
			if _, found := ownership.Value(o, j.path); found && j.v.fitsRef(j.spec.Object, refOf(o)) {
				return true
			}
		}
	}
	return false
}

func (j *ownershipJudge) judgeObject(o map[string]any) {
	owners, err := ownership.Owners(o, j.path)
	if err != nil {
		j.r.miss("%v", err)
		return
	}
	target := strings.TrimSpace(refOf(o).String() + " " + j.path.String())
	if len(j.spec.Managers) > 0 && !exactly(j.spec.Managers, owners) {
		j.r.fail("%s: expected %s, seen %s%s", target, managersText(j.spec.Managers), ownersText(owners),
			j.v.since(j.now, refOf(o), j.path, true, j.r))
	}
	for _, forbidden := range j.spec.Forbidden {
		for _, owner := range owners {
			if fits(forbidden, owner.Manager) {
				j.r.fail("%s: %s must not own it, but %s does%s", target, managerText(forbidden), owner.Manager,
					j.v.since(j.now, refOf(o), j.path, true, j.r))
			}
		}
	}
}

// exactly tells whether each owner is stated and each stated manager owns.
func exactly(stated []v1alpha1.Manager, owners []ownership.Owner) bool {
	one := func(m v1alpha1.Manager, o ownership.Owner) bool {
		return fits(m, o.Manager) && m.Subresource == o.Subresource
	}
	for _, o := range owners {
		if !slices.ContainsFunc(stated, func(m v1alpha1.Manager) bool { return one(m, o) }) {
			return false
		}
	}
	for _, m := range stated {
		if !slices.ContainsFunc(owners, func(o ownership.Owner) bool { return one(m, o) }) {
			return false
		}
	}
	return true
}

// fits tells whether a manager is of the kind described; what is left empty fits anything.
func fits(m v1alpha1.Manager, seen ownership.Manager) bool {
	return (m.Name == "*" || m.Name == seen.Name) &&
		(m.Operation == "" || m.Operation == seen.Operation) &&
		(m.Subresource == "" || m.Subresource == seen.Subresource)
}

func managersText(managers []v1alpha1.Manager) string {
	texts := make([]string, len(managers))
	for i, m := range managers {
		texts[i] = managerText(m)
	}
	return strings.Join(texts, " and ")
}

func managerText(m v1alpha1.Manager) string {
	details := slices.DeleteFunc([]string{m.Operation, m.Subresource}, func(s string) bool { return s == "" })
	if len(details) == 0 {
		return m.Name
	}
	return fmt.Sprintf("%s (%s)", m.Name, strings.Join(details, ", "))
}

func ownersText(owners []ownership.Owner) string {
	if len(owners) == 0 {
		return "no owner"
	}
	texts := make([]string, len(owners))
	for i, o := range owners {
		texts[i] = o.String()
		if o.Above {
			texts[i] += ", through the list or map that holds it"
		}
	}
	return strings.Join(texts, " and ")
}
