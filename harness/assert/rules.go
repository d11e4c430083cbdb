package assert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/verdict"
)

// judgeRules gives one verdict for each readiness rule of the scenario: one that held for no pod has rehearsed nothing.
func (v *View) judgeRules(rules []v1alpha1.ReadinessRule) []verdict.Verdict {
	pods := v.firstDecisions()
	held := make([][]int64, len(rules))
	for _, e := range pods {
		for _, i := range heldBy(rules, e) {
			held[i] = append(held[i], e.Seq)
		}
	}
	var all []verdict.Verdict
	for i, rule := range rules {
		out := verdict.Verdict{
			Name: "readiness " + rule.Workload, Kind: "readiness", Status: verdict.Passed, Evidence: held[i],
			Line: v.Bundle.Variant.Lines[fmt.Sprintf("readiness[%d]", i)],
		}
		if len(held[i]) == 0 {
			out.Status, out.Message = v.judgeUnheld(rules, i, pods)
		}
		all = append(all, out)
	}
	return all
}

// firstDecisions are what was decided first of each pod, from which the rule is told that held for it: it is that of the
// step in which the pod was made.
func (v *View) firstDecisions() []*evidence.Event {
	var first []*evidence.Event
	seen := map[evidence.Ref]bool{}
	for i := range v.Bundle.Timeline {
		e := &v.Bundle.Timeline[i]
		if e.Readiness != nil && !seen[e.Readiness.Pod] {
			seen[e.Readiness.Pod] = true
			first = append(first, e)
		}
	}
	return first
}

// heldBy is the rule that held for a pod, by its index: the first that fits, as the readiness controller has it. Of a pod
// that was made between two steps each may have.
func heldBy(rules []v1alpha1.ReadinessRule, e *evidence.Event) []int {
	var all []int
	for i, rule := range rules {
		if workloadOf(rule) != e.Readiness.Workload {
			continue
		}
		if e.Step == "" {
			all = append(all, i)
		} else if len(rule.Steps) == 0 || slices.Contains(rule.Steps, e.Step) {
			return []int{i}
		}
	}
	return all
}

// workloadOf is a rule's workload as Kind/name, which is all that a pod tells of it.
func workloadOf(rule v1alpha1.ReadinessRule) string {
	object, err := ref.Parse(rule.Workload)
	if err != nil {
		return rule.Workload
	}
	return object.Kind + "/" + object.Name
}

// judgeUnheld says why a rule held for no pod.
func (v *View) judgeUnheld(rules []v1alpha1.ReadinessRule, index int, pods []*evidence.Event) (verdict.Status, string) {
	rule, workload := rules[index], workloadOf(rules[index])
	when := "any step"
	if len(rule.Steps) > 0 {
		when = "step " + quoted(rule.Steps, " or ")
	}
	var made []string // the steps in which the workload had new pods
	shadow := ""
	for _, e := range pods {
		if e.Readiness.Workload != workload {
			continue
		}
		made = append(made, e.Step)
		if by := heldBy(rules, e); len(by) > 0 && (len(rule.Steps) == 0 || slices.Contains(rule.Steps, e.Step)) {
			shadow = fmt.Sprintf("readiness[%d]", by[0])
		}
	}
	made = slices.Compact(made)
	switch open := v.openStep(rule.Steps); {
	case open != "" && v.endedBy != "" && !v.windows[v.endedBy].finished.Finished.Inconclusive:
		return verdict.Skipped, fmt.Sprintf("step %q ended the run before it held for a pod", v.endedBy)
	case open != "":
		return verdict.Inconclusive, fmt.Sprintf("it held for no pod: the evidence ends before the end of step %q", open)
	case shadow != "":
		return verdict.Inconclusive, fmt.Sprintf("it held for no pod: %s comes first and holds for every pod of %s that it would; put it before that one, or remove it", shadow, workload)
	case len(made) > 0:
		return verdict.Inconclusive, fmt.Sprintf("it held for no pod: %s had new pods in step %s, but not in %s; correct its steps", workload, quoted(made, " and "), when)
	case slices.Contains(v.workloads(workload), workload):
		return verdict.Inconclusive, fmt.Sprintf("it held for no pod: %s was there, but had no new pod in %s; let a step change its pods, or remove the rule", workload, when)
	}
	return verdict.Inconclusive, fmt.Sprintf("it held for no pod: there was no workload %s%s", workload, registry.Hint(workload, v.workloads(workload)))
}

// openStep is the first of some steps, or of all if none is named, that the evidence does not hold to its end.
func (v *View) openStep(steps []string) string {
	for _, step := range v.Bundle.Variant.Steps {
		if (len(steps) == 0 || slices.Contains(steps, step)) && !v.windows[step].ended() {
			return step
		}
	}
	return ""
}

// workloads are those that were seen, as Kind/name, sorted; Pods only if one is asked for, as most are of another workload.
func (v *View) workloads(like string) []string {
	kinds := []string{"Deployment", "StatefulSet", "DaemonSet", "Job"}
	if strings.HasPrefix(like, "Pod/") {
		kinds = append(kinds, "Pod")
	}
	found := map[string]bool{}
	for r := range v.tracks {
		if r.Namespace == v.Bundle.Variant.Namespace && slices.Contains(kinds, r.Kind) {
			found[r.String()] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func quoted(texts []string, between string) string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(out, between)
}
