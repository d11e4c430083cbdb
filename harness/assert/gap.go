package assert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
)

// gap reports evidence that may be missing about these kinds in a part of the timeline; no kinds means any. What was
// found missing before the first step, such as a resource that cannot be watched, is missing in every step.
func (v *View) gap(events []*evidence.Event, r *Result, kinds ...string) bool {
	for i := range v.Bundle.Timeline {
		e := &v.Bundle.Timeline[i]
		if e.Step != "" {
			break
		}
		if e.Gap != nil && v.concerns(e, r, kinds) {
			return true
		}
	}
	for _, e := range events {
		if e.Gap != nil && v.concerns(e, r, kinds) {
			return true
		}
	}
	return false
}

func (v *View) concerns(e *evidence.Event, r *Result, kinds []string) bool {
	about := len(kinds) == 0 || e.Gap.Resource == "" ||
		slices.ContainsFunc(kinds, func(kind string) bool { return pluralOf(e.Gap.Resource, kind) })
	if about {
		when := "from the start"
		if e.Step != "" {
			when = fmt.Sprintf("in step %q", e.Step)
		}
		r.miss("evidence about %s may be missing %s: %s", cmp.Or(e.Gap.Resource, "everything"), when, e.Gap.Reason)
		r.rest(e.Seq)
	}
	return about
}

// pluralOf tells whether a resource, such as deployments.apps, is that of a kind.
func pluralOf(resource, kind string) bool {
	name, _, _ := strings.Cut(strings.ToLower(resource), ".")
	kind = strings.ToLower(kind)
	return slices.Contains([]string{kind, kind + "s", kind + "es", strings.TrimSuffix(kind, "y") + "ies"}, name)
}
