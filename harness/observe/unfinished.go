package observe

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"rehearse.dev/rehearse/harness/evidence"
)

// Unfinished is an object whose kstatus is not Current.
type Unfinished struct {
	Ref evidence.Ref
	// Status is its kstatus, and Message why, as kstatus says it.
	Status, Message string
}

// Unfinished returns the objects of the scope that are not Current, sorted by kind, namespace and name, as far as the watches
// have told. What another object controls is left out: its owner is not Current either, or does not care.
func (s *Subscription) Unfinished() []Unfinished {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []*unstructured.Unstructured
	refs := map[*unstructured.Unstructured]evidence.Ref{}
	for _, o := range s.held {
		if o.status != string(status.CurrentStatus) && metav1.GetControllerOfNoCopy(o.obj) == nil {
			held, refs[o.obj] = append(held, o.obj), o.res.ref(o.obj)
		}
	}
	slices.SortFunc(held, byName)
	all := make([]Unfinished, len(held))
	for i, u := range held {
		all[i].Ref = refs[u]
		all[i].Status, all[i].Message = kstatus(u)
	}
	return all
}
