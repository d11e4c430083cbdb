package assert

import (
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func requestsEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:     "requests",
		Summary:  "How many requests of a kind Helm sent to the API server.",
		Example:  "requests: {at: back, verb: patch, force: true, max: 0}\n",
		NewSpec:  func() any { return &v1alpha1.Requests{} },
		Validate: validated(validateRequests),
		Code:     typed(judgeRequests),
	}
}

func validateRequests(s *v1alpha1.Requests) []registry.Problem {
	return validateBounds(s.Min, s.Max)
}

func judgeRequests(v *View, spec *v1alpha1.Requests) Result {
	var r Result
	if spec.At != "" {
		if _, ok := v.step(spec.At, &r); !ok {
			return r
		}
	}
	seen, recorded := 0, false
	for i := range v.Bundle.Timeline {
		e := &v.Bundle.Timeline[i]
		if e.Request == nil {
			continue
		}
		recorded = true
		if (spec.At == "" || e.Step == spec.At) && isMeant(spec, e.Request) {
			seen++
			r.rest(e.Seq)
		}
	}
	least, most := bounds(spec.Min, spec.Max)
	switch {
	case seen > most:
		r.fail("expected at most %d such requests, seen %d", most, seen)
	case !recorded:
		r.miss("the evidence holds no request of Helm at all")
	case len(v.Bundle.Truncated) > 0:
		r.miss("the evidence is cut off")
	case seen < least && !v.broken(spec.At, &r):
		r.fail("expected at least %d such requests, seen %d", least, seen)
	}
	return r
}

// isMeant tells whether a request is one of those that are counted.
func isMeant(spec *v1alpha1.Requests, q *evidence.Request) bool {
	group := q.Group
	if group == "" && q.Resource != "" {
		group = "core"
	}
	name, start := strings.CutSuffix(spec.Name, "*")
	switch {
	case spec.Verb == "write" && !q.Writes(),
		spec.Verb != "" && spec.Verb != "write" && spec.Verb != q.Verb,
		spec.Group != "" && spec.Group != group,
		spec.Resource != "" && spec.Resource != q.Resource,
		spec.Manager != "" && spec.Manager != q.Manager,
		start && !strings.HasPrefix(q.Name, name),
		!start && name != "" && name != q.Name,
		spec.Force != nil && *spec.Force != q.Force,
		spec.DryRun != nil && *spec.DryRun != q.DryRun,
		spec.Status != 0 && spec.Status != q.Status:
		return false
	}
	return true
}
