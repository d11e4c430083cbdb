// Package observe turns watches of the Kubernetes API into evidence. One Hub watches every resource of a cluster once;
// any number of scenarios subscribe to their part of it. Every version that a watch delivers is recorded, with the
// kstatus transitions it brings.
package observe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/evidence"
)

// userAgent names the watchers in the API server's logs.
const userAgent = "rehearse-observe"

// requestsAtOnce bounds how many lists run side by side.
const requestsAtOnce = 16

// A resource that discovery lists and the API server does not serve is asked for again, so often and at such intervals: a
// CRD is listed a moment before it is served, and for a while after it is gone.
const (
	servedTries = 20
	servedPause = 100 * time.Millisecond
)

// ErrClosed says that the Hub or the Subscription was closed while a call waited on it.
var ErrClosed = errors.New("observe: closed")

// Hub watches one cluster.
type Hub struct {
	dyn  dynamic.Interface
	meta metadata.Interface
	disc *discovery.DiscoveryClient
	http *http.Client
	// missed is how many requests found no API server.
	missed atomic.Int64

	stop  context.CancelFunc
	ended <-chan struct{}
	wg    sync.WaitGroup

	mu       sync.RWMutex
	closed   bool
	watchers map[schema.GroupResource]*watcher
	// known are the resources of CRDs that were ever watched: what was missed of one that comes again cannot be told.
	known map[schema.GroupResource]bool
	// unwatched says why resources are not watched.
	unwatched map[string]string
	// audience holds the subscriptions by namespace; "" holds those that look at cluster-scoped objects. The slices
	// are replaced, never changed, so that they can be read without the lock.
	audience map[string][]*Subscription
}

// Start watches every resource of the cluster that can be watched, and returns once each watch has its starting point:
// nothing that happens after Start has returned is missed. The watches end with ctx, or with Close. The Leases by which
// nodes and leaders tell that they live are left out.
func Start(ctx context.Context, cfg *rest.Config) (*Hub, error) {
	h := &Hub{
		watchers:  map[schema.GroupResource]*watcher{},
		known:     map[schema.GroupResource]bool{},
		unwatched: map[string]string{},
		audience:  map[string][]*Subscription{},
	}
	if err := h.connect(cfg); err != nil {
		return nil, fmt.Errorf("watch cluster %s: %w", cfg.Host, err)
	}
	running, stop := context.WithCancel(ctx)
	h.stop, h.ended = stop, running.Done()
	if err := h.startAll(ctx, running); err != nil {
		h.Close()
		return nil, fmt.Errorf("watch cluster %s: %w", cfg.Host, err)
	}
	return h, nil
}

func (h *Hub) connect(cfg *rest.Config) error {
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = userAgent
	// The watches would eat up the client's own rate limit, and a late list is a late piece of evidence.
	cfg.QPS = -1
	cfg.Timeout = 0
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return missing{next, &h.missed} })
	var err error
	if h.http, err = rest.HTTPClientFor(cfg); err != nil {
		return err
	}
	if h.dyn, err = dynamic.NewForConfigAndClient(cfg, h.http); err != nil {
		return err
	}
	if h.meta, err = metadata.NewForConfigAndClient(metadata.ConfigFor(cfg), h.http); err != nil {
		return err
	}
	h.disc, err = discovery.NewDiscoveryClientForConfigAndClient(cfg, h.http)
	return err
}

// startAll fixes the starting point of the watch on CRDs before it asks for the resources, so that a CRD which arrives
// in between is not lost.
func (h *Hub) startAll(ctx, running context.Context) error {
	crds := newWatcher(h, crdResource)
	if err := h.place(ctx, crds); err != nil {
		return err
	}
	resources, err := h.discover(ctx)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(requestsAtOnce)
	for _, res := range resources {
		if res.gvr.GroupResource() == crdResource.gvr.GroupResource() {
			continue
		}
		group.Go(func() error { return h.place(ctx, newWatcher(h, res)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, w := range h.all() {
		if w != crds {
			w.start(running)
		}
	}
	// Last, because it may end or replace the others.
	if _, readable := h.watchers[crdResource.gvr.GroupResource()]; readable {
		crds.start(running)
	}
	return nil
}

// place gives w its starting point and adds it to the hub. A resource that may not be read is noted instead; one that is
// listed in discovery and yet not served for a while is going away, and has nothing to tell.
func (h *Hub) place(ctx context.Context, w *watcher) error {
	err := w.mark0(ctx)
	for tries := 0; apierrors.IsNotFound(err) && tries < servedTries; tries++ {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(servedPause):
			err = w.mark0(ctx)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case refused(err):
		h.unwatched[w.res.String()] = err.Error()
		return nil
	case err == nil:
		h.watchers[w.res.gvr.GroupResource()] = w
	}
	return err
}

// giveUp notes that a resource which came after the start may not be read, and tells every subscription concerned.
func (h *Hub) giveUp(res resource, err error) {
	h.mu.Lock()
	h.unwatched[res.String()] = err.Error()
	delete(h.watchers, res.gvr.GroupResource())
	h.mu.Unlock()
	for _, s := range h.listenersOf(res) {
		s.gap(evidence.Gap{Resource: res.String(), Reason: err.Error()})
	}
}

// Close ends every watch and every subscription. It may be called again.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	subs := map[*Subscription]bool{}
	for _, list := range h.audience {
		for _, s := range list {
			subs[s] = true
		}
	}
	h.mu.Unlock()
	for s := range subs {
		s.Close()
	}
	h.stop()
	h.wg.Wait()
	utilnet.CloseIdleConnectionsFor(h.http.Transport)
}

// over reports whether the watches have been told to end.
func (h *Hub) over() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// all lists the watchers, sorted by resource.
func (h *Hub) all() []*watcher {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.SortedFunc(maps.Values(h.watchers), func(a, b *watcher) int {
		return strings.Compare(a.res.String(), b.res.String())
	})
}

// listeners are the subscriptions that an object in this namespace may concern. The slice must not be changed.
func (h *Hub) listeners(namespace string) []*Subscription {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.audience[namespace]
}

// listenersOf are the subscriptions that objects of this resource may concern.
func (h *Hub) listenersOf(res resource) []*Subscription {
	if !res.namespaced {
		return h.listeners("")
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	var subs []*Subscription
	for namespace, list := range h.audience {
		if namespace == "" {
			continue
		}
		for _, s := range list {
			if !slices.Contains(subs, s) {
				subs = append(subs, s)
			}
		}
	}
	return subs
}

func (h *Hub) join(s *Subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	for _, namespace := range s.scope.namespaces() {
		h.audience[namespace] = append(slices.Clone(h.audience[namespace]), s)
	}
	return nil
}

func (h *Hub) leave(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, namespace := range s.scope.namespaces() {
		rest := slices.DeleteFunc(slices.Clone(h.audience[namespace]), func(o *Subscription) bool { return o == s })
		if len(rest) == 0 {
			delete(h.audience, namespace)
		} else {
			h.audience[namespace] = rest
		}
	}
}
