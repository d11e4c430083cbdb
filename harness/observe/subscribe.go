package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/evidence"
)

// Subscribe begins the flow of a scope's evidence into the sink. Objects that are there already are recorded first, as
// initial. A resource that cannot be watched is recorded as a gap.
func (h *Hub) Subscribe(ctx context.Context, scope Scope, sink Sink) (*Subscription, error) {
	s := &Subscription{
		hub: h, scope: scope, sink: sink, ended: make(chan struct{}),
		priming: true, held: map[types.UID]*object{}, waiters: map[*waiter]bool{},
	}
	if err := h.join(s); err != nil {
		return nil, err
	}
	initial, err := s.present(ctx)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("subscribe to namespace %q: %w", scope.Namespace, err)
	}
	for _, gap := range append(h.gaps(), s.quietGaps()...) {
		s.gap(gap)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range append(initial, s.backlog...) {
		s.take(d)
	}
	s.priming, s.backlog = false, nil
	return s, nil
}

// gaps lists the resources that are not watched, sorted.
func (h *Hub) gaps() []evidence.Gap {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var gaps []evidence.Gap
	for resource, reason := range h.unwatched {
		gaps = append(gaps, evidence.Gap{Resource: resource, Reason: reason})
	}
	slices.SortFunc(gaps, func(a, b evidence.Gap) int { return strings.Compare(a.Resource, b.Resource) })
	return gaps
}

// quietGaps lists the resources of which the scope asks for objects that are left out.
func (s *Subscription) quietGaps() []evidence.Gap {
	var gaps []evidence.Gap
	for _, w := range s.hub.all() {
		if s.scope.wantsQuiet(w.res) {
			gaps = append(gaps, evidence.Gap{Resource: w.res.String(), Reason: "those of " + strings.Join(restless, " and ") + " are not watched: they are renewed all the time"})
		}
	}
	return gaps
}

// present reads the objects of the scope that are there now, sorted; owners come before what they own.
func (s *Subscription) present(ctx context.Context) ([]delivery, error) {
	var mu sync.Mutex
	var found []delivery
	err := s.eachWatcher(ctx, func(ctx context.Context, w *watcher) error {
		if w.res.events() {
			return nil
		}
		for _, place := range s.scope.places(w.res) {
			items, err := s.read(ctx, w, place)
			if err != nil {
				return err
			}
			mu.Lock()
			for _, u := range items {
				found = append(found, delivery{w.res, evidence.Initial, u})
			}
			mu.Unlock()
		}
		return nil
	})
	slices.SortFunc(found, func(a, b delivery) int { return byName(a.obj, b.obj) })
	slices.SortStableFunc(found, func(a, b delivery) int {
		return cmp.Compare(len(a.obj.GetOwnerReferences()), len(b.obj.GetOwnerReferences()))
	})
	return found, err
}

// read lists a resource in the scope's namespace whole; elsewhere, where there may be many more, it reads the metadata and
// then the objects that belong to the scope.
func (s *Subscription) read(ctx context.Context, w *watcher, place string) ([]*unstructured.Unstructured, error) {
	if w.res.namespaced && place == s.scope.Namespace {
		list, err := s.hub.dyn.Resource(w.res.gvr).Namespace(place).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, ignoreGone(err)
		}
		var items []*unstructured.Unstructured
		for i := range list.Items {
			items = append(items, &unstructured.Unstructured{Object: list.Items[i].Object})
		}
		return items, nil
	}
	list, err := s.hub.meta.Resource(w.res.gvr).Namespace(place).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, ignoreGone(err)
	}
	return s.adopt(ctx, w, list.Items)
}

// adopt reads the objects outside the scope's namespace that belong to the scope and are not held yet.
func (s *Subscription) adopt(ctx context.Context, w *watcher, items []metav1.PartialObjectMetadata) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	for i := range items {
		if !s.misses(w.res, &items[i]) {
			continue
		}
		u, err := s.hub.dyn.Resource(w.res.gvr).Namespace(items[i].Namespace).Get(ctx, items[i].Name, metav1.GetOptions{})
		if err := ignoreGone(err); err != nil {
			return nil, err
		}
		if u != nil {
			found = append(found, u)
		}
	}
	return found, nil
}

// misses reports whether an object belongs to the scope and is not held.
func (s *Subscription) misses(res resource, m *metav1.PartialObjectMetadata) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[m.UID] != nil {
		return false
	}
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetName(m.Name)
	u.SetNamespace(m.Namespace)
	u.SetAnnotations(m.Annotations)
	u.SetOwnerReferences(m.OwnerReferences)
	return s.wants(delivery{res: res, obj: u})
}

// eachWatcher calls do for every resource that the scope covers, several at once. Those of which it holds objects come
// first: an API server answers a consistent list only 100 ms after the last one of the same resource, if nothing has
// changed, and they are what Helm has just listed. The others are done meanwhile. What do waits for on the watch of CRDs
// may bring watches of more resources, which then have their turn.
func (s *Subscription) eachWatcher(ctx context.Context, do func(context.Context, *watcher) error) error {
	done := map[*watcher]bool{}
	for {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(requestsAtOnce)
		before := len(done)
		for _, w := range s.heldFirst(s.hub.all()) {
			if s.scope.covers(w.res) && !done[w] {
				done[w] = true
				group.Go(func() error { return do(ctx, w) })
			}
		}
		if err := group.Wait(); err != nil || len(done) == before {
			return err
		}
	}
}

// heldFirst moves the watchers of resources of which objects are held to the front.
func (s *Subscription) heldFirst(watchers []*watcher) []*watcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := map[schema.GroupResource]bool{}
	for _, o := range s.held {
		held[o.res.gvr.GroupResource()] = true
	}
	var front, back []*watcher
	for _, w := range watchers {
		if held[w.res.gvr.GroupResource()] {
			front = append(front, w)
		} else {
			back = append(back, w)
		}
	}
	return append(front, back...)
}

// ignoreGone drops the error of a resource or object that went between two requests.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// byName orders objects by kind, namespace and name.
func byName(a, b *unstructured.Unstructured) int {
	return cmp.Or(
		strings.Compare(a.GetKind(), b.GetKind()),
		strings.Compare(a.GetNamespace(), b.GetNamespace()),
		strings.Compare(a.GetName(), b.GetName()),
		strings.Compare(string(a.GetUID()), string(b.GetUID())),
	)
}
