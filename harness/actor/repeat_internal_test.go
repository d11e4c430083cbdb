package actor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// start runs a repetition until the test stops it.
func start(t *testing.T, write func(context.Context)) (*repetition, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &repetition{cancel: cancel, done: make(chan struct{})}
	go r.run(ctx, time.Second, write)
	return r, cancel
}

func TestRepetitionWritesAtItsInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		r, cancel := start(t, func(context.Context) { writes++ })
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if writes != 3 {
			t.Errorf("%d writes in 3.5 intervals, want 3", writes)
		}
		cancel()
		<-r.done
		time.Sleep(5 * time.Second)
		if writes != 3 {
			t.Errorf("%d writes after the end", writes-3)
		}
	})
}

func TestWriteUnderWayFinishes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		// takes is how long the write would take.
		takes time.Duration
		// cut is whether it must be cut off.
		cut bool
	}{
		"in time": {grace / 2, false},
		"late":    {2 * grace, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var cut error
				r, cancel := start(t, func(ctx context.Context) {
					select {
					case <-time.After(tc.takes):
					case <-ctx.Done():
						cut = ctx.Err()
					}
				})
				time.Sleep(time.Second)
				synctest.Wait()
				stopped := time.Now()
				cancel()
				<-r.done
				if took := time.Since(stopped); (cut != nil) != tc.cut || took != min(tc.takes, grace) {
					t.Errorf("it ended %s after the stop, cut off: %v", took, cut)
				}
			})
		})
	}
}

// idle is a troupe of one actor, hpa, without a cluster.
func idle(ctx context.Context, t *testing.T) *Troupe {
	t.Helper()
	hpa := v1alpha1.Actor{Name: "hpa", Do: v1alpha1.Choice{Kind: "scale", Spec: &v1alpha1.Scale{Workload: "Deployment/backend"}}}
	troupe, err := NewTroupe(ctx, &rest.Config{Host: "https://192.0.2.1"}, "home", []v1alpha1.Actor{hpa}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return troupe
}

func TestTroupeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		troupe := idle(ctx, t)
		later, r, err := troupe.engage(ctx, "hpa")
		if err != nil {
			t.Fatal(err)
		}
		go r.run(later, time.Second, func(context.Context) {})
		cancel()
		select {
		case <-r.done:
		case <-time.After(time.Minute):
			t.Error("the repetition goes on")
		}
		if err := troupe.Act(t.Context(), "hpa"); !errors.Is(err, ErrClosed) {
			t.Errorf("acting after the end: %v", err)
		}
		troupe.Close()
		troupe.Close()
	})
}
