package fault

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
)

// plain is a cluster that nobody can break.
type plain struct{ cluster.Cluster }

func (plain) Name() string { return "plain" }

// TestPlaneUnavailable: on a cluster whose control plane cannot be broken, faults of it are not to be had.
func TestPlaneUnavailable(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"pauseAPIServer", "killAPIServer", "slowEtcd"} {
		entry, err := Registry().Lookup(kind)
		if err != nil {
			t.Fatal(err)
		}
		life, err := NewLife(v1alpha1.Fault{Name: "f", Do: v1alpha1.Choice{Kind: kind, Spec: entry.NewSpec()}}, Site{Cluster: plain{}}, &record{}, Note{})
		if err != nil {
			t.Fatal(err)
		}
		if err := life.SetUp(t.Context()); !errors.Is(err, cluster.ErrUnsupported) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestOutagePasses: an outage ends by itself only after it was seen, and not once its context has ended.
func TestOutagePasses(t *testing.T) {
	t.Parallel()
	o := &outage{seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.pass(ctx, nil); err == nil {
		t.Error("it passes without having been seen")
	}
	close(o.seen)
	if err := o.pass(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestOutageRecovered: an API server that is ready but refuses the administrator, as one does that has not read its roles,
// is not back yet.
func TestOutageRecovered(t *testing.T) {
	t.Parallel()
	var refusals atomic.Int32
	refusals.Store(3)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" && refusals.Load() > 0 {
			refusals.Add(-1)
			http.Error(w, "no roles yet", http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{Site: Site{Client: client}}
	if why := s.unready(t.Context()); why == nil || !strings.Contains(why.Error(), "no roles yet") {
		t.Errorf("it refuses, and is unready because of %v", why)
	}
	if err := new(outage).recovered(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if left := refusals.Load(); left != 0 {
		t.Errorf("seen to be back %d refusals before it was", left)
	}
}
