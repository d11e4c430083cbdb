package observe

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/evidence"
)

// Snapshot returns the objects of the scope, sorted by kind, namespace and name, in a state that holds every write
// made before the call: it first waits until the watches have delivered all of them. So whatever the snapshot holds
// stands in the timeline too. The objects are shared and must not be changed.
func (s *Subscription) Snapshot(ctx context.Context) ([]map[string]any, error) {
	if err := s.eachWatcher(ctx, s.settle); err != nil {
		return nil, fmt.Errorf("snapshot of namespace %q: %w", s.scope.Namespace, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var held []*unstructured.Unstructured
	for _, o := range s.held {
		held = append(held, o.obj)
	}
	slices.SortFunc(held, byName)
	objects := make([]map[string]any, len(held))
	for i, u := range held {
		objects[i] = u.Object
	}
	return objects, nil
}

// settle waits until the watch of one resource has delivered what a quorum read of its metadata shows. A watch cannot
// be asked how far it is, and bookmarks come a minute apart; but it delivers in order, so it is far enough once it has
// passed the newest object of the list and has told of every deletion that the list reveals.
func (s *Subscription) settle(ctx context.Context, w *watcher) error {
	if w.res.events() {
		return nil
	}
	for _, place := range s.scope.places(w.res) {
		if err := s.settleIn(ctx, w, place); err != nil {
			return err
		}
	}
	return nil
}

func (s *Subscription) settleIn(ctx context.Context, w *watcher, place string) error {
	list, err := s.list(ctx, w.res, place)
	if ctx.Err() != nil {
		return fmt.Errorf("list %s: %w", w.res, context.Cause(ctx)) // client-go does not always wrap it
	}
	if err != nil {
		return ignoreGone(err)
	}
	newest, listed := "", map[types.UID]bool{}
	for i := range list.Items {
		listed[list.Items[i].UID] = true
		if version := list.Items[i].ResourceVersion; newest == "" || behind(newest, version) {
			newest = version
		}
	}
	err = w.await(ctx, func(mark string) bool {
		there := newest == "" || w.hasBegun() && !behind(mark, newest)
		return there && !s.outlives(w.res, place, list.ResourceVersion, listed)
	})
	if err != nil || w.res.namespaced && place == s.scope.Namespace {
		return err
	}
	// A dependent may have been delivered, and dropped, before its owner.
	late, err := s.adopt(ctx, w, list.Items)
	for _, u := range late {
		s.deliver(delivery{w.res, evidence.Initial, u})
	}
	return err
}

// list reads the metadata of a resource in a place. It waits for an API server that is away.
func (s *Subscription) list(ctx context.Context, res resource, place string) (*metav1.PartialObjectMetadataList, error) {
	for {
		list, err := s.hub.meta.Resource(res.gvr).Namespace(place).List(ctx, metav1.ListOptions{})
		if !outOfReach(err) {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(servedPause):
		}
	}
}

// outlives reports whether an object is held that was gone when the list of its place was read.
func (s *Subscription) outlives(res resource, place, version string, listed map[types.UID]bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uid, o := range s.held {
		same := o.res.gvr.GroupResource() == res.gvr.GroupResource() && o.obj.GetNamespace() == place
		if same && !listed[uid] && !behind(version, o.obj.GetResourceVersion()) {
			return true
		}
	}
	return false
}
