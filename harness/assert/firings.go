package assert

import (
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func firingsEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:     "firings",
		Summary:  "How often a fault took effect.",
		Example:  "firings: {fault: crashing, min: 3}\n",
		NewSpec:  func() any { return &v1alpha1.Firings{} },
		Validate: validated(validateFirings),
		Code:     typed(judgeFirings),
	}
}

func validateFirings(f *v1alpha1.Firings) []registry.Problem {
	return validateBounds(f.Min, f.Max)
}

func judgeFirings(v *View, spec *v1alpha1.Firings) Result {
	var r Result
	if spec.At != "" {
		if _, ok := v.step(spec.At, &r); !ok {
			return r
		}
	}
	seen := 0
	for i := range v.Bundle.Timeline {
		e := &v.Bundle.Timeline[i]
		if e.Fault != nil && e.Fault.Name == spec.Fault && e.Fault.Phase == evidence.FaultFired && (spec.At == "" || e.Step == spec.At) &&
			strings.Contains(e.Fault.Detail, spec.Contains) {
			seen++
			r.rest(e.Seq)
		}
	}
	least, most := bounds(spec.Min, spec.Max)
	switch life := v.lifeOf(spec.Fault); {
	case seen > most:
		r.fail("expected fault %s to fire at most %d times, seen %d", spec.Fault, most, seen)
	case life.injected == 0:
		r.miss("fault %s was never injected", spec.Fault)
	case len(v.Bundle.Truncated) > 0:
		r.miss("the evidence is cut off")
	case seen < least && !v.broken(spec.At, &r):
		r.fail("expected fault %s to fire at least %d times, seen %d", spec.Fault, least, seen)
	}
	return r
}
