package fault

import (
	"sync"

	"rehearse.dev/rehearse/harness/evidence"
)

// refusals tells faults that block evictions of those that were refused to other faults: the API server tells nobody but
// who asked.
type refusals struct {
	mu sync.Mutex
	// listeners are told by the name of the disruption budget.
	listeners map[string]func(pod evidence.Ref)
}

// listen has hear told of refusals by a budget; nil ends that.
func (r *refusals) listen(budget string, hear func(pod evidence.Ref)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hear == nil {
		delete(r.listeners, budget)
		return
	}
	r.listeners[budget] = hear
}

// tell tells of a refusal.
func (r *refusals) tell(budget string, pod evidence.Ref) {
	r.mu.Lock()
	hear := r.listeners[budget]
	r.mu.Unlock()
	if hear != nil {
		hear(pod)
	}
}
