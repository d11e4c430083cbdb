package plan

import (
	"fmt"
	"slices"

	"rehearse.dev/rehearse/harness/ref"
)

// Doubts are what looks like a mistake of the scenario's but may be meant, a sentence each: readiness rules for what no chart
// renders, as far as charts were rendered, and actors that no step sets off.
func (p Plan) Doubts() []string {
	var all []string
	for i, rule := range p.Scenario.Spec.Readiness {
		if len(p.Renders) > 0 && !slices.Contains(p.Renders, ref.Workload(rule.Workload)) && !p.makes(rule.Workload) {
			all = append(all, fmt.Sprintf("readiness[%d] is for %s, which no chart of the scenario renders and no actor makes; is the name right?", i, rule.Workload))
		}
	}
	for _, actor := range p.Scenario.Spec.Actors {
		if !setOff(&p.Scenario.Spec, actor.Name) {
			all = append(all, fmt.Sprintf("actor %s does nothing: no step has act: %s", actor.Name, actor.Name))
		}
	}
	return all
}

// makes reports whether an actor may make an object.
func (p Plan) makes(object string) bool {
	return slices.ContainsFunc(p.Touches, func(t Touch) bool {
		return ref.Workload(t.What) == ref.Workload(object) && (slices.Contains(t.Does, "create") || slices.Contains(t.Does, "apply"))
	})
}
