package scenario

import (
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// order refuses a readiness order that no run can meet.
func (v *validator) order(path string, choice v1alpha1.Choice) {
	order, ok := choice.Spec.(*v1alpha1.ReadinessOrder)
	if !ok {
		return
	}
	if cycle := cycleOf(order); cycle != nil {
		v.report(path+"."+choice.Kind, "the order has a cycle that no run can meet: %s", strings.Join(cycle, " → "))
	}
}

// cycleOf returns a cycle of the order, its first object repeated at the end, or nil if there is none.
func cycleOf(order *v1alpha1.ReadinessOrder) []string {
	after := map[string][]string{}
	var starts []string
	add := func(first, then string) {
		after[first] = append(after[first], then)
		starts = append(starts, first)
	}
	for i := 1; i < len(order.Chain); i++ {
		add(order.Chain[i-1], order.Chain[i])
	}
	for _, pair := range order.Before {
		add(pair.First, pair.Then)
	}
	return search(starts, after)
}

// search walks the graph depth first. It keeps its own stack, since a chain can be as long as a file.
func search(starts []string, after map[string][]string) []string {
	done := map[string]bool{}
	for _, start := range starts {
		path, next, on := []string{start}, []int{0}, map[string]bool{start: true}
		for len(path) > 0 && !done[path[0]] {
			top := len(path) - 1
			node := path[top]
			if next[top] == len(after[node]) {
				done[node], on[node] = true, false
				path, next = path[:top], next[:top]
				continue
			}
			child := after[node][next[top]]
			next[top]++
			switch {
			case on[child]:
				return append(path[slices.Index(path, child):], child)
			case !done[child]:
				path, next, on[child] = append(path, child), append(next, 0), true
			}
		}
	}
	return nil
}
