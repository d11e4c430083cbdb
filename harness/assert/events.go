package assert

import (
	"fmt"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func eventsEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "events",
		Summary: "Which Kubernetes Events were seen, and how often.",
		Example: `events:
  object: Deployment/backend
  type: Warning
  max: 0
`,
		NewSpec:  func() any { return &v1alpha1.Events{} },
		Validate: validated(validateEvents),
		Code:     typed(judgeEvents),
	}
}

func validateEvents(e *v1alpha1.Events) []registry.Problem { return validateBounds(e.Min, e.Max) }

func judgeEvents(v *View, spec *v1alpha1.Events) Result {
	r := Result{Step: spec.At}
	if spec.At != "" {
		if _, ok := v.step(spec.At, &r); !ok {
			return r
		}
	}
	if spec.Object != "" && !v.known(spec.Object) {
		r.miss("%s matches nothing: no evidence names such an object", spec.Object)
		return r
	}
	seen, any := v.countEvents(spec, &r)
	least, most := bounds(spec.Min, spec.Max)
	limited := spec.Max != nil
	switch {
	case seen < least:
		if !v.incomplete(spec.At, &r) {
			r.fail("expected at least %d Events (%s), seen %d", least, describe(spec), seen)
		}
	case seen > most:
		r.fail("expected at most %d Events (%s), seen %d%s", most, describe(spec), seen, v.lastEvent(r.Evidence))
	case limited && !any:
		r.miss("no Event at all was recorded")
	case limited:
		v.incomplete(spec.At, &r)
	}
	return r
}

// incomplete tells whether Events may be missing: because of a gap, or because the end is cut off.
func (v *View) incomplete(step string, r *Result) bool {
	if len(v.Bundle.Truncated) > 0 && step == "" {
		r.miss("the evidence is cut off: %s", strings.Join(v.Bundle.Truncated, ", "))
		return true
	}
	if v.broken(step, r) {
		return true
	}
	for _, name := range v.Bundle.Variant.Steps {
		if w := v.windows[name]; w != nil && (step == "" || step == name) && v.gap(w.events, r, "Event") {
			return true
		}
	}
	return false
}

// countEvents counts occurrences. A record of a series states how often it has occurred so far, so only what it adds
// to the record before counts; one that does not grow begins a new series.
func (v *View) countEvents(spec *v1alpha1.Events, r *Result) (seen int, any bool) {
	fits := v.fitter(spec.Object)
	series := map[evidence.KubeEvent]int32{}
	for i := range v.Bundle.Timeline {
		e := &v.Bundle.Timeline[i]
		if e.KubeEvent == nil {
			continue
		}
		any = true
		if !fits(e.KubeEvent.Regarding) || !fitsEvent(spec, e.KubeEvent) {
			continue
		}
		key := *e.KubeEvent
		key.Count = 0
		added := max(1, e.KubeEvent.Count)
		if before := series[key]; added > before {
			added -= before
		}
		series[key] = max(1, e.KubeEvent.Count)
		if spec.At == "" || e.Step == spec.At {
			seen += int(added)
			r.rest(e.Seq)
		}
	}
	return seen, any
}

func fitsEvent(spec *v1alpha1.Events, e *evidence.KubeEvent) bool {
	return (spec.Type == "" || spec.Type == e.Type) &&
		(spec.Reason == "" || spec.Reason == e.Reason) &&
		strings.Contains(e.Message, spec.Contains)
}

func describe(e *v1alpha1.Events) string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"of", e.Object}, {"type", e.Type}, {"reason", e.Reason}, {"containing", e.Contains}, {"in step", e.At},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	if len(parts) == 0 {
		return "any"
	}
	return strings.Join(parts, ", ")
}

func (v *View) lastEvent(seqs []int64) string {
	if len(seqs) == 0 {
		return ""
	}
	e := v.Bundle.Timeline[seqs[len(seqs)-1]-1]
	return fmt.Sprintf(", the last in step %q (+%s): %s %s: %s", e.Step, short(e.At), e.KubeEvent.Regarding, e.KubeEvent.Reason, e.KubeEvent.Message)
}
