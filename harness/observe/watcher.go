package observe

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/evidence"
)

// atOnce is how soon a watch ends that was never answered: client-go hides that its connection was closed.
const atOnce = 5 * time.Millisecond

// watcher follows one resource: it resumes where a broken watch left off, and lists anew if that is no longer possible.
type watcher struct {
	hub *Hub
	res resource
	// crd is the UID of the CRD that defines the resource, where it came after the hub had started.
	crd types.UID
	// first is set if no watch of the resource came before, so that nothing of it can have been told.
	first bool

	cancel context.CancelFunc
	done   chan struct{}
	// missed is how often the hub had missed the API server when this watch was last seen to be answered.
	missed int64

	mu sync.Mutex
	// mark is the resourceVersion up to which everything was delivered; empty before the first list.
	mark string
	// begun is set once the resource was read.
	begun bool
	// moved is closed, and replaced, when the mark has moved.
	moved chan struct{}
	// excusedUntil is the time until which a break is put down to a change of the CRD.
	excusedUntil time.Time
}

func newWatcher(h *Hub, res resource) *watcher {
	return &watcher{hub: h, res: res, moved: make(chan struct{}), done: make(chan struct{}), cancel: func() {}}
}

// mark0 sets the mark to the present, without reading the objects.
func (w *watcher) mark0(ctx context.Context) error {
	options := w.res.options()
	options.Limit = 1
	list, err := w.hub.meta.Resource(w.res.gvr).List(ctx, options)
	if err != nil {
		return fmt.Errorf("list %s: %w", w.res, err)
	}
	w.advance(list.ResourceVersion)
	return nil
}

func (w *watcher) start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.hub.wg.Go(func() {
		defer close(w.done)
		w.run(ctx)
	})
}

func (w *watcher) run(ctx context.Context) {
	fresh := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Steps: 8, Cap: 500 * time.Millisecond}
	backoff := fresh
	for ctx.Err() == nil {
		var err error
		from := w.at()
		if from != "" {
			err = w.follow(ctx, from)
		}
		if from == "" || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			err = w.relist(ctx, err)
		}
		if from == "" && apierrors.IsForbidden(err) {
			w.hub.giveUp(w.res, err)
			return
		}
		if w.at() != from {
			backoff = fresh
			if err == nil {
				continue
			}
		}
		pause := backoff.Step()
		if from == "" && apierrors.IsNotFound(err) {
			pause = min(pause, fresh.Duration) // once a new resource is served, the next client may be making objects already
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// follow delivers what a watch says until it ends. It returns nil if the server ended it in good order.
func (w *watcher) follow(ctx context.Context, from string) error {
	options := w.res.options()
	options.ResourceVersion, options.AllowWatchBookmarks = from, true
	stream, err := w.hub.dyn.Resource(w.res.gvr).Watch(ctx, options)
	if err != nil {
		return err
	}
	defer stream.Stop()
	opened, told, missed := time.Now(), false, w.hub.missed.Load()
	for e := range stream.ResultChan() {
		told = true
		if e.Type == watch.Error {
			return apierrors.FromObject(e.Object)
		}
		u, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("watch %s: unexpected %T", w.res, e.Object)
		}
		if e.Type != watch.Bookmark {
			w.dispatch(ctx, changes[e.Type], u)
		}
		w.advance(u.GetResourceVersion())
	}
	if told || time.Since(opened) > atOnce {
		w.missed = missed
	}
	return nil
}

var changes = map[watch.EventType]evidence.Change{
	watch.Added: evidence.Added, watch.Modified: evidence.Modified, watch.Deleted: evidence.Deleted,
}

func (w *watcher) dispatch(ctx context.Context, c evidence.Change, u *unstructured.Unstructured) {
	if w.res == crdResource {
		w.hub.definitionChanged(ctx, c, u)
	}
	for _, s := range w.hub.listeners(u.GetNamespace()) {
		s.deliver(delivery{res: w.res, change: c, obj: u})
	}
}

// relist reads everything anew after a break that cannot be resumed (or, with no cause, for a resource that has just
// come), and delivers what differs from what the subscriptions know. If it was because the API server was away, or has
// changed a CRD, or because the first objects of a resource were quicker than its watch, what was missed is read back.
func (w *watcher) relist(ctx context.Context, cause error) error {
	list, err := w.hub.dyn.Resource(w.res.gvr).List(ctx, w.res.options())
	if err != nil {
		return err
	}
	for i := range list.Items {
		if w.res == crdResource {
			w.hub.definitionChanged(ctx, evidence.Modified, &list.Items[i])
		}
	}
	reason := "the resource was there before the watch"
	if cause != nil {
		reason = cause.Error()
	}
	whole := cause != nil && (w.hub.missed.Load() > w.missed || w.excused()) && w.remembered(ctx, w.at())
	if cause == nil {
		whole = w.first && w.excused()
		w.excuse(crdGrace) // as only now the API server makes its cache
	}
	for _, s := range w.hub.listenersOf(w.res) {
		w.catchUp(ctx, s, list, breach{reason: reason, excusable: w.excusable(cause), whole: whole})
	}
	w.missed = w.hub.missed.Load()
	w.advance(list.GetResourceVersion())
	return nil
}

// breach is a break that the watch cannot resume from.
type breach struct {
	reason string
	// excusable is set if nothing is missing unless the list holds something new.
	excusable bool
	// whole is set if all that was missed can be read back.
	whole bool
}

// catchUp tells a subscription what a list shows, as completely as it can be had, and that something is missing if not.
func (w *watcher) catchUp(ctx context.Context, s *Subscription, list *unstructured.UnstructuredList, b breach) {
	if b.whole {
		missed, ok := w.recallFor(ctx, s, list.Items, list.GetResourceVersion())
		switch {
		case ok:
			s.reconcile(w.res, missed, nil)
			return
		case ctx.Err() != nil:
			return // another watch takes its place, and tells
		}
	}
	var news []delivery
	for _, c := range s.changes(w.res, list.Items) {
		if c.now == nil {
			news = append(news, delivery{w.res, evidence.Deleted, c.known})
		} else {
			news = append(news, delivery{w.res, evidence.Added, c.now})
		}
	}
	var gap *evidence.Gap
	if !b.excusable || len(news) > 0 {
		gap = &evidence.Gap{Resource: w.res.String(), Reason: b.reason}
	}
	s.reconcile(w.res, news, gap)
}

// excusable reports whether a relist is in the nature of things: the API server ends the watches of a resource whose
// CRD is new or changed. Evidence is then missing only if the list holds something that no watch had delivered.
func (w *watcher) excusable(cause error) bool { return cause == nil || w.excused() }

func (w *watcher) excused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.excusedUntil)
}

func (w *watcher) excuse(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excusedUntil = time.Now().Add(d)
}

func (w *watcher) at() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark
}

// hasBegun reports whether the resource was read. Its mark does not tell: a list may have no version.
func (w *watcher) hasBegun() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

func (w *watcher) advance(mark string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mark, w.begun = mark, true
	close(w.moved)
	w.moved = make(chan struct{})
}

// await returns once cond holds; it is asked whenever the mark has moved, and without the lock.
func (w *watcher) await(ctx context.Context, cond func(mark string) bool) error {
	for {
		w.mu.Lock()
		mark, moved := w.mark, w.moved
		w.mu.Unlock()
		if cond(mark) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the watch on %s lags behind the API server at %s: %w", w.res, mark, context.Cause(ctx))
		case <-w.done:
			if w.hub.over() {
				return ErrClosed
			}
			return nil // the resource is no longer served
		case <-moved:
		}
	}
}

// behind reports whether resourceVersion a is older than b. Versions of an API that does not number them never are.
func behind(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}

// newer reports whether a is a later version of the object than b. Versions that are not numbered count as later.
func newer(a, b *unstructured.Unstructured) bool {
	c, err := resourceversion.CompareResourceVersion(a.GetResourceVersion(), b.GetResourceVersion())
	return err != nil || c > 0
}
