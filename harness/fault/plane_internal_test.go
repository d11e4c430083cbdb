package fault

import (
	"context"
	"errors"
	"testing"

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
