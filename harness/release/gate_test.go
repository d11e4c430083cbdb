package release

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gateOperation is an operation that asks to enter at start and lasts for a while.
type gateOperation struct {
	name    string
	manager string
	start   time.Duration
	lasts   time.Duration
}

func TestGate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		operations []gateOperation
		// want is when each operation was let in.
		want map[string]time.Duration
	}{
		"one manager runs side by side": {
			operations: []gateOperation{{"a", "helm", 0, 10}, {"b", "helm", 1, 10}, {"c", "helm", 2, 10}},
			want:       map[string]time.Duration{"a": 0, "b": 1, "c": 2},
		},
		"another manager waits until none runs": {
			operations: []gateOperation{{"a", "helm", 0, 10}, {"b", "helm", 1, 20}, {"c", "flux", 2, 5}},
			want:       map[string]time.Duration{"a": 0, "b": 1, "c": 21},
		},
		"those that come later queue behind it": {
			operations: []gateOperation{{"a", "helm", 0, 10}, {"b", "flux", 1, 10}, {"c", "helm", 2, 10}, {"d", "helm", 3, 10}},
			want:       map[string]time.Duration{"a": 0, "b": 10, "c": 20, "d": 20},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				global := ""
				g := &gate{set: func(m string) { global = m }}
				begin := time.Now()
				var mu sync.Mutex
				got := map[string]time.Duration{}
				var wg sync.WaitGroup
				for _, op := range test.operations {
					wg.Go(func() {
						time.Sleep(op.start)
						leave, err := g.enter(t.Context(), op.manager)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						got[op.name] = time.Since(begin)
						mu.Unlock()
						time.Sleep(op.lasts)
						if global != op.manager { // read as Helm does, until the very end
							t.Errorf("%s ran under %s", op.name, global)
						}
						leave()
						leave() // a second call does nothing
					})
				}
				wg.Wait()
				for op, at := range test.want {
					if got[op] != at {
						t.Errorf("%s was let in at %d, want %d", op, got[op], at)
					}
				}
			})
		})
	}
}

func TestGateGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var set []string
		g := &gate{set: func(m string) { set = append(set, m) }}
		leave, err := g.enter(t.Context(), "helm")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		gone := make(chan error, 1)
		go func() {
			_, err := g.enter(ctx, "flux")
			gone <- err
		}()
		synctest.Wait()
		// This one queues behind flux, and must get in once flux has given up, although helm still runs.
		behind := make(chan struct{})
		go func() {
			leave, err := g.enter(t.Context(), "helm")
			if err == nil {
				leave()
			}
			close(behind)
		}()
		if err := <-gone; !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrNotBegun) {
			t.Errorf("got error %v, want the deadline before the operation began", err)
		}
		<-behind
		leave()
		if want := []string{"helm"}; !slices.Equal(set, want) {
			t.Errorf("the manager was set to %v, want %v", set, want)
		}
	})
}
