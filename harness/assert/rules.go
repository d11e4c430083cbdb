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

// judgeRules gives one verdict for each readiness rule of the scenario: one that held for no pod has rehearsed nothing, and
// is inconclusive unless it need not hold.
func (v *View) judgeRules(rules []v1alpha1.ReadinessRule) []verdict.Verdict {
	pods := v.firstDecisions()
	held := make([][]int64, len(rules))
	for _, e := range pods {
		for _, i := range v.heldBy(rules, e) {
			held[i] = append(held[i], e.Seq)
		}
	}
	var all []verdict.Verdict
	for i, rule := range rules {
		out := verdict.Verdict{
			Name: "readiness " + rule.Workload, Kind: "readiness", Status: verdict.Passed, Evidence: held[i],
			Line: v.Bundle.Variant.Lines[fmt.Sprintf("readiness[%d]", i)],
		}
		if required := rule.RequireHeld == nil || *rule.RequireHeld; required && len(held[i]) == 0 {
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

// heldBy are the rules, by their index, that may have held for a pod.
func (v *View) heldBy(rules []v1alpha1.ReadinessRule, e *evidence.Event) []int {
	var all []int
	for _, step := range v.around(e) {
		if i := ruleFor(rules, e.Readiness.Workload, step); i >= 0 && !slices.Contains(all, i) {
			all = append(all, i)
		}
	}
	return all
}

func ruleFor(rules []v1alpha1.ReadinessRule, workload, step string) int {
	return v1alpha1.RuleFor(rules, step, func(of string) bool { return ref.Workload(of) == workload })
}

// around are the steps whose rules may have been in force at an event: its own or, between steps, the last one that began
// before it and the first one after it.
func (v *View) around(e *evidence.Event) []string {
	if e.Step != "" {
		return []string{e.Step}
	}
	before, after := v.neighbours(e)
	return slices.DeleteFunc([]string{before, after}, func(step string) bool { return step == "" })
}

// neighbours are the last step that began before an event and the first one that began after it; empty if there is none.
func (v *View) neighbours(e *evidence.Event) (before, after string) {
	for _, step := range v.Bundle.Variant.Steps {
		w := v.windows[step]
		if w == nil {
			continue
		}
		if _, begin := w.begin(); begin > e.Seq {
			return before, step
		}
		before = step
	}
	return before, ""
}

// judgeUnheld says why a rule held for no pod.
func (v *View) judgeUnheld(rules []v1alpha1.ReadinessRule, index int, pods []*evidence.Event) (verdict.Status, string) {
	rule, workload := rules[index], ref.Workload(rules[index].Workload)
	when := "any step"
	if len(rule.Steps) > 0 {
		when = "step " + quoted(rule.Steps, " or ")
	}
	made, shadow := v.madeOf(rules, index, pods)
	why := func(format string, args ...any) (verdict.Status, string) {
		return verdict.Inconclusive, "it held for no pod: " + fmt.Sprintf(format, args...)
	}
	if broken := v.brokenAny(rule.Steps); broken != "" {
		return why("%s", broken)
	}
	switch open := v.openStep(rule.Steps); {
	case open != "" && v.endedBy != "" && !v.windows[v.endedBy].finished.Finished.Inconclusive:
		return verdict.Skipped, fmt.Sprintf("step %q ended the run before it held for a pod", v.endedBy)
	case open != "":
		return why("the evidence ends before the end of step %q", open)
	case shadow >= 0:
		return why("readiness[%d] comes first and holds for every pod of %s that it would; put it before that one, or remove it", shadow, workload)
	case len(made) > 0:
		return why("%s had new pods %s, but not in %s; correct its steps", workload, strings.Join(made, " and "), when)
	case slices.Contains(v.workloads(workload), workload):
		return why("%s was there, but had no new pod in %s; let a step change its pods, or remove the rule", workload, when)
	}
	return why("there was no workload %s%s", workload, registry.Hint(workload, v.workloads(workload)))
}

// madeOf says when a rule's workload had new pods, and which rule held for those that it would have held for; -1 if there
// were none.
func (v *View) madeOf(rules []v1alpha1.ReadinessRule, index int, pods []*evidence.Event) (made []string, shadow int) {
	shadow = -1
	workload := ref.Workload(rules[index].Workload)
	for _, e := range pods {
		if e.Readiness.Workload != workload {
			continue
		}
		made = append(made, v.place(e))
		for _, step := range v.around(e) {
			if rules[index].HoldsIn(step) {
				shadow = ruleFor(rules, workload, step)
			}
		}
	}
	return slices.Compact(made), shadow
}

// place says where among the steps an event is.
func (v *View) place(e *evidence.Event) string {
	before, after := v.neighbours(e)
	switch {
	case e.Step != "":
		return fmt.Sprintf("in step %q", e.Step)
	case before != "" && after != "":
		return fmt.Sprintf("between step %q and step %q", before, after)
	case before != "":
		return fmt.Sprintf("after step %q", before)
	}
	return fmt.Sprintf("before step %q", after)
}

// brokenAny says which of some steps, or of all if none is named, did not run to its end because of the harness, and why.
func (v *View) brokenAny(steps []string) string {
	if len(steps) == 0 {
		steps = []string{""}
	}
	var r Result
	for _, step := range steps {
		if v.broken(step, &r) {
			break
		}
	}
	return join(r.Missing)
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
