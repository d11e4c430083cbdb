package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"rehearse.dev/rehearse/harness/evidence"
)

// maxRecall bounds the requests that one watch makes for what it has missed.
const maxRecall = 1000

// errTooMany says that a watch has missed more than can be asked for.
var errTooMany = errors.New("more versions were missed than can be asked for")

// outOfReach reports whether an error means that there was no API server.
func outOfReach(err error) bool {
	return err != nil && (utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err))
}

// missing counts the requests that found no API server.
type missing struct {
	http.RoundTripper
	count *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (m missing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := m.RoundTripper.RoundTrip(r)
	if outOfReach(err) {
		m.count.Add(1)
	}
	return resp, err
}

// WrappedRoundTripper lets connections be closed that are idle.
func (m missing) WrappedRoundTripper() http.RoundTripper { return m.RoundTripper }

// change is an object that a list shows to have changed since the watch told of it last.
type change struct {
	// known is the version that was told of; nil for an object that is new.
	known *unstructured.Unstructured
	// now is the version in the list; nil if the object is gone.
	now *unstructured.Unstructured
}

// recall reads back what a watch has missed because the API server was away: etcd keeps every version for minutes, and a
// list can be had as of any revision. Only an object that was both made and removed within the gap is not found; the API
// server was away in it, and with it everybody's means to write, but for the moments before and after.
type recall struct {
	watcher  *watcher
	upTo     uint64 // the revision of the list
	requests int
}

// missed returns what the watch would have told, in order, of objects that changed.
func (r *recall) missed(ctx context.Context, changes []change) ([]delivery, error) {
	var all []delivery
	for _, c := range changes {
		found, err := r.of(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b delivery) int { return cmp.Compare(revision(a.obj), revision(b.obj)) })
	return all, nil
}

// of returns the versions of one object, oldest first.
func (r *recall) of(ctx context.Context, c change) ([]delivery, error) {
	var known uint64
	last := c.now
	if c.known != nil {
		known = revision(c.known)
	}
	var found []delivery
	if c.now == nil {
		final, removed, err := r.end(ctx, c.known)
		if err != nil {
			return nil, err
		}
		tomb := final.DeepCopy()
		tomb.SetResourceVersion(strconv.FormatUint(removed, 10)) // as a watch tells it
		found = append(found, delivery{r.watcher.res, evidence.Deleted, tomb})
		last = final
	}
	for last != nil && revision(last) > known {
		found = append(found, delivery{r.watcher.res, evidence.Modified, last})
		before, err := r.asOf(ctx, last, revision(last)-1)
		if err != nil {
			return nil, err
		}
		last = before
	}
	if c.known == nil && len(found) > 0 {
		found[len(found)-1].change = evidence.Added
	}
	slices.Reverse(found)
	return found, nil
}

// end finds the last version of an object that is gone, and the revision that removed it.
func (r *recall) end(ctx context.Context, known *unstructured.Unstructured) (*unstructured.Unstructured, uint64, error) {
	last, there, gone := known, revision(known), r.upTo
	for there+1 < gone {
		middle := there + (gone-there)/2
		o, err := r.asOf(ctx, known, middle)
		switch {
		case err != nil:
			return nil, 0, err
		case o == nil:
			gone = middle
		default:
			last, there = o, middle
		}
	}
	return last, gone, nil
}

// asOf returns an object as it was at a revision; nil if there was none, be there another of its name.
func (r *recall) asOf(ctx context.Context, o *unstructured.Unstructured, at uint64) (*unstructured.Unstructured, error) {
	if at == 0 {
		return nil, nil
	}
	if r.requests++; r.requests > maxRecall {
		return nil, errTooMany
	}
	list, err := r.watcher.hub.dyn.Resource(r.watcher.res.gvr).Namespace(o.GetNamespace()).List(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + o.GetName(), ResourceVersion: strconv.FormatUint(at, 10),
		ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	})
	if err != nil {
		return nil, fmt.Errorf("list %s as of revision %d: %w", r.watcher.res, at, err)
	}
	for i := range list.Items {
		if list.Items[i].GetUID() == o.GetUID() {
			return &unstructured.Unstructured{Object: list.Items[i].Object}, nil
		}
	}
	return nil, nil
}

// remembered reports whether etcd still has all that came after a revision.
func (w *watcher) remembered(ctx context.Context, from string) bool {
	_, err := w.hub.meta.Resource(w.res.gvr).List(ctx, metav1.ListOptions{
		ResourceVersion: from, ResourceVersionMatch: metav1.ResourceVersionMatchExact, Limit: 1,
	})
	return err == nil
}

// recallFor reads back what a subscription has missed; ok is false if that cannot be told.
func (w *watcher) recallFor(ctx context.Context, s *Subscription, items []unstructured.Unstructured, upTo string) (missed []delivery, ok bool) {
	end, err := strconv.ParseUint(upTo, 10, 64)
	if err != nil {
		return nil, false
	}
	missed, err = (&recall{watcher: w, upTo: end}).missed(ctx, s.changes(w.res, items))
	return missed, err == nil
}

// changes compares a list with what is held.
func (s *Subscription) changes(res resource, items []unstructured.Unstructured) []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.scope.covers(res) {
		return nil
	}
	listed := map[types.UID]bool{}
	var all []change
	for i := range items {
		u := &unstructured.Unstructured{Object: items[i].Object} // a pointer into items would keep all of them
		listed[u.GetUID()] = true
		known := s.held[u.GetUID()]
		switch {
		case known != nil && newer(u, known.obj):
			all = append(all, change{known.obj, u})
		case known == nil && !res.events() && s.wants(delivery{res, evidence.Added, u}):
			all = append(all, change{nil, u})
		}
	}
	for uid, o := range s.held {
		if o.res.gvr.GroupResource() == res.gvr.GroupResource() && !listed[uid] {
			all = append(all, change{o.obj, nil})
		}
	}
	return all
}

// revision is an object's resource version as a number; 0 if it is none.
func revision(u *unstructured.Unstructured) uint64 {
	n, err := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
