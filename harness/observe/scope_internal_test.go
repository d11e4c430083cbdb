package observe

import (
	"context"
	"errors"
	"strings"
	"testing"

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
