package observe

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
)

// Condition judges one version of an object and its kstatus. An object that does not exist is nil, its kstatus
// NotFound. It must neither keep nor change the object, and must not block.
type Condition func(object map[string]any, kstatus string) bool

type waiter struct {
	object ref.Ref
	cond   Condition
	// last is the kstatus that the condition was shown last.
	last string
	done chan struct{}
}

// Await returns once the condition has held for some version of the object, be it only for a moment. A version that was
// out of date when Await was called does not count. A reference without a namespace means the scope's, or a
// cluster-scoped object. The object need not be in the scope, nor its kind be known yet.
func (s *Subscription) Await(ctx context.Context, object ref.Ref, cond Condition) error {
	if err := s.learn(ctx, object); err != nil {
		return fmt.Errorf("await %s: %w", object, err)
	}
	elsewhere := object.Namespace != "" && object.Namespace != s.scope.Namespace
	if w := s.hub.watcherOf(object); object.Namespace == "" && w != nil && !w.res.namespaced {
		elsewhere = true
	}
	if elsewhere {
		return s.awaitElsewhere(ctx, object, cond)
	}
	return s.await(ctx, object, cond)
}

// learn waits, if the object's kind is not watched yet, until the watch of CRDs has told of every CRD that was there before.
func (s *Subscription) learn(ctx context.Context, object ref.Ref) error {
	if s.hub.watcherOf(object) != nil {
		return nil
	}
	for _, w := range s.hub.all() {
		if w.res == crdResource {
			return s.settle(ctx, w)
		}
	}
	return nil // they may not be read
}

// awaitElsewhere awaits an object outside the scope through a subscription to it alone, which leaves no evidence.
func (s *Subscription) awaitElsewhere(ctx context.Context, object ref.Ref, cond Condition) error {
	alone, err := s.hub.Subscribe(ctx, Scope{Also: []ref.Ref{object}}, discard{})
	if err != nil {
		return err
	}
	defer alone.Close()
	return alone.await(ctx, object, cond)
}

func (s *Subscription) await(ctx context.Context, object ref.Ref, cond Condition) error {
	if err := s.catchUp(ctx, object); err != nil {
		return fmt.Errorf("await %s: %w", object, err)
	}
	w := &waiter{object: object, cond: cond, done: make(chan struct{})}
	if met, err := s.enlist(w); met || err != nil {
		return err
	}
	select {
	case <-w.done:
		return nil
	case <-s.ended:
		return ErrClosed
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiters, w)
		return fmt.Errorf("await %s (kstatus %s): %w", object, w.last, context.Cause(ctx))
	}
}

// catchUp waits until the watches have told of every write to the object's kind that was made before.
func (s *Subscription) catchUp(ctx context.Context, object ref.Ref) error {
	return s.eachWatcher(ctx, func(ctx context.Context, w *watcher) error {
		if !object.FitsKind(w.res.gvr.Group, w.res.kind) {
			return nil
		}
		return s.settle(ctx, w)
	})
}

// enlist reports whether the condition holds now, and else has it judged with every version to come.
func (s *Subscription) enlist(w *waiter) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	var now map[string]any
	w.last = statusNotFound
	for _, o := range s.held {
		if s.means(w.object, o.res, o.obj) {
			now, w.last = o.obj.Object, o.status
		}
	}
	if w.cond(now, w.last) {
		return true, nil
	}
	s.waiters[w] = true
	return false, nil
}

// notify shows a version to those who wait for its object. The lock is held.
func (s *Subscription) notify(d delivery, status string) {
	for w := range s.waiters {
		if !s.means(w.object, d.res, d.obj) {
			continue
		}
		now := d.obj.Object
		if d.change == evidence.Deleted {
			now = nil
		}
		w.last = status
		if w.cond(now, status) {
			close(w.done)
			delete(s.waiters, w)
		}
	}
}

func (s *Subscription) means(r ref.Ref, res resource, u *unstructured.Unstructured) bool {
	return r.Fits(s.scope.Namespace, res.gvr.Group, res.kind, u.GetNamespace(), u.GetName())
}

// watcherOf is the watcher of an object's kind; nil if there is none.
func (h *Hub) watcherOf(object ref.Ref) *watcher {
	for _, w := range h.all() {
		if object.FitsKind(w.res.gvr.Group, w.res.kind) {
			return w
		}
	}
	return nil
}

type discard struct{}

func (discard) Record(evidence.Event) int64                         { return 0 }
func (discard) Object(evidence.ObjectVersion, map[string]any) int64 { return 0 }
