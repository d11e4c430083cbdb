package observe

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/evidence"
)

// crdGrace is how long the API server may take to end the watches of a resource whose CRD has changed or gone.
const crdGrace = 5 * time.Second

// definitionChanged starts, replaces or ends the watch that belongs to a CRD. It runs within the watch on CRDs, so
// that changes of one CRD come in their order.
func (h *Hub) definitionChanged(ctx context.Context, c evidence.Change, u *unstructured.Unstructured) {
	def := readCRD(u)
	h.mu.Lock()
	defer h.mu.Unlock()
	group := def.resource.gvr.GroupResource()
	w := h.watchers[group]
	switch {
	case h.closed:
	case c == evidence.Deleted:
		h.known[group] = true
		if w != nil {
			delete(h.watchers, group)
			h.wg.Go(func() { w.retire(ctx) })
		}
	case !def.established:
	case w == nil:
		h.watchers[group] = h.begin(ctx, def, !h.known[group])
		h.known[group] = true
	case w.crd != "" && w.crd != def.uid || !slices.Contains(def.served, w.res.gvr.Version):
		w.cancel()
		h.watchers[group] = h.begin(ctx, def, false)
	default:
		h.known[group] = true
		w.crd = def.uid
		w.excuse(crdGrace)
	}
}

// begin watches a new resource from its first object on. The API server may make the cache that watches are served from
// after it has answered the first list, which is too old then (seen on a busy machine).
// first is set if the resource was never watched before.
func (h *Hub) begin(ctx context.Context, def custom, first bool) *watcher {
	w := newWatcher(h, def.resource)
	w.crd, w.first = def.uid, first
	w.excuse(crdGrace)
	w.start(ctx)
	return w
}

// retire ends the watch once it has told that every object is gone, or after a while.
func (w *watcher) retire(ctx context.Context) {
	doomed := map[*Subscription][]types.UID{}
	for _, s := range w.hub.listenersOf(w.res) {
		doomed[s] = s.uids(w.res)
	}
	bound, cancel := context.WithTimeout(ctx, crdGrace)
	defer cancel()
	told := w.await(bound, func(string) bool {
		for s, uids := range doomed {
			if s.holdsAny(uids) {
				return false
			}
		}
		return true
	})
	w.cancel()
	<-w.done
	if told == nil || ctx.Err() != nil {
		return
	}
	gap := evidence.Gap{Resource: w.res.String(), Reason: "the CRD went before the watch had told of its objects"}
	for s, uids := range doomed {
		s.bury(uids, gap)
	}
}
