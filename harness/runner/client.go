package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/release"
)

// errNoOperation says that a fault was to act on Helm while none was at work.
var errNoOperation = errors.New("no operation of Helm is under way")

// helmAtWork is Helm while it runs an operation of the stage, as faults see it.
type helmAtWork struct {
	stage *stage

	mu          sync.Mutex // guards what follows
	cancel      context.CancelCauseFunc
	interrupted <-chan struct{}
}

var _ fault.Helm = (*helmAtWork)(nil)

// begin lets faults reach the operation that is given the context it returns, until end. run is the context of the run,
// which ends also what faults have started.
func (h *helmAtWork) begin(ctx, run context.Context) (operation context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancel, h.interrupted = cancel, run.Done()
	return newTimeable(ctx), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.cancel = nil
		cancel(nil)
	}
}

// timeable is a context that ends as one whose deadline has passed if that is what it is cancelled for.
type timeable struct {
	context.Context
	done chan struct{}
	err  error // set before done is closed
}

func newTimeable(ctx context.Context) *timeable {
	t := &timeable{Context: ctx, done: make(chan struct{})}
	context.AfterFunc(ctx, func() {
		t.err = ctx.Err()
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			t.err = context.DeadlineExceeded
		}
		close(t.done)
	})
	return t
}

// Done implements context.Context. It is a channel of its own, so that contexts made of this one ask Err why it has ended.
func (t *timeable) Done() <-chan struct{} { return t.done }

// Err implements context.Context.
func (t *timeable) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// Release implements fault.Helm.
func (h *helmAtWork) Release() evidence.Ref {
	scope := h.stage.scope
	return evidence.Ref{Kind: "Release", Namespace: scope.Namespace, Name: scope.Release}
}

// Signals implements fault.Helm.
func (h *helmAtWork) Signals() error {
	if _, ok := h.stage.helm.(*release.CLI); !ok {
		return fmt.Errorf("%w: with driver sdk Helm is no process of its own that could be signalled; it needs driver cli", cluster.ErrUnsupported)
	}
	return nil
}

// Signal implements fault.Helm.
func (h *helmAtWork) Signal(ctx context.Context, signal syscall.Signal) error {
	if err := h.Signals(); err != nil {
		return err
	}
	return h.stage.helm.(*release.CLI).Signal(ctx, signal)
}

// Cancel implements fault.Helm.
func (h *helmAtWork) Cancel(cause error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel == nil {
		return errNoOperation
	}
	h.cancel(cause)
	return nil
}

// Second implements fault.Helm.
func (h *helmAtWork) Second(ctx context.Context, operation v1alpha1.Choice) error {
	h.mu.Lock()
	interrupted := h.interrupted
	h.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-interrupted: // never, if no operation began
			cancel(errors.New("the run was interrupted"))
		case <-ctx.Done():
		}
	}()
	target, err := h.stage.target()
	if err != nil {
		return err
	}
	second, err := h.stage.newDriver(target)
	if err != nil {
		return err
	}
	switch spec := operation.Spec.(type) {
	case *v1alpha1.Upgrade:
		return second.Upgrade(ctx, *spec)
	case *v1alpha1.Rollback:
		return second.Rollback(ctx, *spec)
	case *v1alpha1.Uninstall:
		return second.Uninstall(ctx, *spec)
	}
	return fmt.Errorf("a second Helm cannot %s", operation.Kind)
}

// Await implements fault.Helm.
func (h *helmAtWork) Await(ctx context.Context, until v1alpha1.Await) error {
	return await(ctx, h.stage, &until)
}
