package release

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"helm.sh/helm/v4/pkg/kube"
)

// ErrNotBegun means that Helm did not run at all.
var ErrNotBegun = errors.New("the operation did not begin")

// processGate guards kube.ManagedFieldsManager, of which there is one in a process.
var processGate = &gate{set: func(manager string) { kube.ManagedFieldsManager = manager }}

// gate lets operations under the same field manager run side by side, and makes those under another wait until none
// runs. It admits in order of arrival, so that neither manager starves: an operation queues behind one of another
// manager that came first, although it could run at once.
type gate struct {
	// set writes the global. It is called while no operation runs.
	set func(manager string)

	mu      sync.Mutex
	manager string
	running int
	queue   []*ticket
}

// ticket is an operation that waits.
type ticket struct {
	manager  string
	admitted chan struct{}
}

// enter waits until an operation under manager may run. The caller must call leave once it has ended.
// The error wraps ErrNotBegun.
func (g *gate) enter(ctx context.Context, manager string) (leave func(), err error) {
	t := &ticket{manager: manager, admitted: make(chan struct{})}
	g.mu.Lock()
	g.queue = append(g.queue, t)
	g.admit()
	g.mu.Unlock()
	select {
	case <-t.admitted:
		return sync.OnceFunc(g.leave), nil
	case <-ctx.Done():
	}
	if g.withdraw(t) {
		return nil, fmt.Errorf("%w: waiting for operations under another field manager to end: %w", ErrNotBegun, context.Cause(ctx))
	}
	return sync.OnceFunc(g.leave), nil
}

// withdraw takes t from the queue; it reports false if t has been admitted meanwhile.
func (g *gate) withdraw(t *ticket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.queue {
		if other == t {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			g.admit() // t may have been what the others waited for
			return true
		}
	}
	return false
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.admit()
}

// admit lets in as many from the head of the queue as may run now. g.mu is held.
func (g *gate) admit() {
	for len(g.queue) > 0 {
		head := g.queue[0]
		if g.running > 0 && head.manager != g.manager {
			return
		}
		if g.running == 0 && head.manager != g.manager {
			g.manager = head.manager
			g.set(head.manager)
		}
		g.running++
		g.queue = g.queue[1:]
		close(head.admitted)
	}
}
