package bench_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
)

// version is one version of one object.
type version struct{ uid, resourceVersion string }

// witness notes every version of the objects whose names begin with a prefix.
type witness struct {
	prefix string

	mu       sync.Mutex
	moved    *sync.Cond
	versions []version
	reached  map[schema.GroupVersionResource]string
}

// witness begins to watch what a release of many objects consists of, until the benchmark ends.
func (s *site) witness(prefix string) *witness {
	s.Helper()
	client, err := metadata.NewForConfig(s.cluster.RESTConfig())
	if err != nil {
		s.Fatal(err)
	}
	w := &witness{prefix: prefix, reached: map[schema.GroupVersionResource]string{}}
	w.moved = sync.NewCond(&w.mu)
	for _, gvr := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "services"},
		{Version: "v1", Resource: "pods"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "apps", Version: "v1", Resource: "replicasets"},
		{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	} {
		list, err := client.Resource(gvr).List(s.Context(), metav1.ListOptions{})
		if err != nil {
			s.Fatal(err)
		}
		stream, err := client.Resource(gvr).Watch(s.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			s.Fatal(err)
		}
		w.reached[gvr] = list.ResourceVersion
		go w.follow(gvr, stream)
	}
	return w
}

func (w *witness) follow(gvr schema.GroupVersionResource, stream watch.Interface) {
	for e := range stream.ResultChan() {
		object, ok := e.Object.(*metav1.PartialObjectMetadata)
		if !ok {
			continue // an error ends the watch, and what follows is missed here, not there
		}
		w.mu.Lock()
		if strings.HasPrefix(object.Name, w.prefix) {
			w.versions = append(w.versions, version{string(object.UID), object.ResourceVersion})
		}
		w.reached[gvr] = object.ResourceVersion
		w.mu.Unlock()
		w.moved.Broadcast()
	}
}

// upTo waits until every watch has passed a resourceVersion, which it has at the latest once it told of the deletion of
// the objects, and returns what they have seen up to there.
func (w *witness) upTo(ctx context.Context, last string) []version {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.moved.Broadcast()
	})()
	w.mu.Lock()
	defer w.mu.Unlock()
	for ctx.Err() == nil && !w.passed(last) {
		w.moved.Wait()
	}
	return slices.DeleteFunc(w.versions, func(v version) bool { return later(v.resourceVersion, last) })
}

func (w *witness) passed(last string) bool {
	for _, reached := range w.reached {
		if !later(reached, last) {
			return false
		}
	}
	return true
}
