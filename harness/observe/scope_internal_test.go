package observe

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/ref"
)

func TestHubForgetsWhoHasLeft(t *testing.T) {
	t.Parallel()
	h := &Hub{audience: map[string][]*Subscription{}}
	var subs []*Subscription
	elsewhere := []ref.Ref{{Kind: "ConfigMap", Namespace: "a", Name: "x"}, {Kind: "ConfigMap", Namespace: "default", Name: "x"}, {Kind: "ConfigMap", Namespace: "default", Name: "y"}}
	for _, scope := range []Scope{{Namespace: "a", Release: "shop"}, {Namespace: "a"}, {Namespace: "b", Release: "shop", Also: elsewhere}} {
		s := &Subscription{hub: h, scope: scope, ended: make(chan struct{}), held: map[types.UID]*object{"x": {}}}
		if err := h.join(s); err != nil {
			t.Fatal(err)
		}
		subs = append(subs, s)
	}
	for namespace, want := range map[string]int{"a": 3, "b": 1, "": 2, "default": 2, "c": 0} {
		if got := len(h.listeners(namespace)); got != want {
			t.Errorf("namespace %q: %d listeners, want %d", namespace, got, want)
		}
	}
	for _, s := range subs {
		s.Close()
		s.Close()
		if s.held != nil {
			t.Error("a closed subscription keeps objects")
		}
	}
	if len(h.audience) > 0 {
		t.Errorf("the hub keeps %v", h.audience)
	}
}

func TestLateWatchIsNamed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	tired := errors.New("the step's deadline has passed")
	cancel(tired)
	err := newWatcher(nil, crdResource).await(ctx, func(string) bool { return false })
	if !errors.Is(err, tired) || !strings.Contains(err.Error(), "customresourcedefinitions.apiextensions.k8s.io lags behind") {
		t.Errorf("error %v", err)
	}
}

// TestLeasesOfTheClusterAreLeftOut: those of nodes and leaders are neither watched nor listed, and a scope that asks for one
// is told so; every other resource is watched everywhere.
func TestLeasesOfTheClusterAreLeftOut(t *testing.T) {
	t.Parallel()
	leases := resource{gvr: leaseResource.WithVersion("v1"), kind: "Lease", namespaced: true}
	pods := resource{gvr: schema.GroupVersionResource{Version: "v1", Resource: "pods"}, kind: "Pod", namespaced: true}
	if got := leases.options().FieldSelector; got != "metadata.namespace!=kube-node-lease,metadata.namespace!=kube-system" {
		t.Errorf("Leases are selected by %q", got)
	}
	if got := pods.options().FieldSelector; got != "" {
		t.Errorf("Pods are selected by %q", got)
	}
	also := func(text string) Scope {
		r, err := ref.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return Scope{Namespace: "a", Release: "shop", Also: []ref.Ref{r}}
	}
	for _, tc := range []struct {
		name   string
		scope  Scope
		places int // where Leases are looked for
		asks   bool
	}{
		{"its own", Scope{Namespace: "a", Release: "shop"}, 1, false},
		{"of another namespace", also("Lease/b/leader"), 2, false},
		{"of a leader", also("Lease.coordination.k8s.io/kube-system/leader"), 1, true},
		{"of a node", also("Lease/kube-node-lease/node"), 1, true},
		{"something else beside the leaders", also("ConfigMap/kube-system/x"), 1, false},
		{"a release there", Scope{Namespace: "kube-system", Release: "shop"}, 0, true},
	} {
		if got := tc.scope.places(leases); len(got) != tc.places || tc.scope.wantsQuiet(leases) != tc.asks {
			t.Errorf("%s: in %v, asks for what is left out: %t", tc.name, got, tc.scope.wantsQuiet(leases))
		}
		if got := tc.scope.places(pods); len(got) != 1+len(tc.scope.Also) {
			t.Errorf("%s: Pods in %v", tc.name, got)
		}
	}
}

// TestWhatCannotBeWatched: what a chart may hold and nobody can watch is told.
func TestWhatCannotBeWatched(t *testing.T) {
	t.Parallel()
	for verbs, want := range map[string]string{
		"create delete get list patch update watch": "watched",
		"create delete get list":                    "told",
		"create delete get":                         "told",
		"create":                                    "", // a TokenReview
		"get list":                                  "", // a PodMetrics
	} {
		ok, reason := watchable(strings.Fields(verbs))
		got := map[bool]string{true: "watched"}[ok]
		if reason != "" {
			got += "told"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", verbs, got, want)
		}
	}
}
