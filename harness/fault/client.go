package fault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/wire"
)

// Helm is Helm while it runs an operation, as faults see it.
type Helm interface {
	// Release is the release under rehearsal.
	Release() evidence.Ref
	// Signals returns an error that wraps cluster.ErrUnsupported if no process runs that could be signalled.
	Signals() error
	// Signal sends a signal to the helm process of the operation under way. After SIGKILL it returns once that has ended.
	Signal(ctx context.Context, signal syscall.Signal) error
	// Cancel ends the context of the operation under way, as one that has timed out if the cause wraps
	// context.DeadlineExceeded. Its error says that there is none.
	Cancel(cause error) error
	// Second runs an operation by a second Helm on the same release, and returns what it came to.
	Second(ctx context.Context, operation v1alpha1.Choice) error
	// Await waits until an object is in a state.
	Await(ctx context.Context, until v1alpha1.Await) error
}

// deed is what a fault does to Helm.
type deed struct {
	// needs returns an error that wraps cluster.ErrUnsupported if the deed cannot be done.
	needs func(Helm) error
	// do does it. why says what set it off.
	do func(ctx context.Context, s *scene, why string) error
	// lasting, if not nil, goes on from then until it is over by itself, or released is closed.
	lasting func(ctx context.Context, s *scene, released <-chan struct{}) error
	// holds says that the request which sets it off waits until lasting is over, and drops that it never goes on.
	holds, drops bool
}

// client is a fault of Helm itself. It lies in wait until its trigger sets it off, which is once for each injection.
type client struct {
	trigger v1alpha1.HelmTrigger
	deed    deed
	// round is the injection under way; life.go sees to it that one is over before the next.
	round *round
}

// round is one injection of a client fault.
type round struct {
	off      atomic.Bool   // it was set off, or is over
	done     chan error    // what became of the deed
	over     chan struct{} // closed once nothing of it lasts
	released chan struct{} // closed when it has to recover
	release  func()
	remove   func() // takes the interceptor away
}

func newClient(trigger v1alpha1.HelmTrigger, d deed) *client {
	return &client{trigger: trigger, deed: d}
}

func newRound() *round {
	r := &round{done: make(chan error, 1), over: make(chan struct{}), released: make(chan struct{}), remove: func() {}}
	r.release = sync.OnceFunc(func() { close(r.released) })
	return r
}

func (*client) lurks() {}

func (c *client) available(_ context.Context, s Site) error {
	switch {
	case s.Helm == nil:
		return fmt.Errorf("%w: nothing here runs Helm", cluster.ErrUnsupported)
	case s.Path == nil && (c.trigger.Before != nil || c.trigger.After != nil):
		return fmt.Errorf("%w: Helm's requests pass no gateway", cluster.ErrUnsupported)
	case c.deed.needs != nil:
		return c.deed.needs(s.Helm)
	}
	return nil
}

// aim needs nothing undone by another process: helm ends with this one.
func (c *client) aim(_ context.Context, s Site) (Aim, error) {
	return Aim{Targets: []evidence.Ref{s.Helm.Release()}, Undo: map[string]string{}}, nil
}

func (c *client) inject(ctx context.Context, s *scene) error {
	c.round = newRound()
	switch t := c.trigger; {
	case t.Before != nil:
		c.round.remove = s.Path.Intercept(c.intercept(s, *t.Before, "before"))
	case t.After != nil:
		c.round.remove = s.Path.Intercept(c.intercept(s, *t.After, "after"))
	case t.When == nil:
		return c.act(ctx, s, "when it was injected")
	}
	return nil
}

// intercept sets the deed off at a request.
func (c *client) intercept(s *scene, m v1alpha1.Match, when string) wire.Interceptor {
	matcher, here := newMatcher(orWrite(m), s.Seed, s.name), c.round
	return wire.InterceptorFunc(func(r evidence.Request) *wire.Action {
		if here.off.Load() || !matcher.picks(r) {
			return nil
		}
		act := func(ctx context.Context) { c.atRequest(ctx, s.at(r), when+" "+r.String()) }
		if when == "after" {
			return &wire.Action{By: s.name, After: act}
		}
		action := &wire.Action{By: s.name, Before: act}
		if c.deed.drops {
			action.Answer = &wire.Answer{Break: wire.Reset}
		}
		return action
	})
}

// atRequest acts while a request is held back. ctx ends with the request, which the deed may be the cause of.
func (c *client) atRequest(ctx context.Context, s *scene, why string) {
	if err := c.act(context.WithoutCancel(ctx), s, why); err != nil || !c.deed.holds {
		return
	}
	select {
	case <-c.round.over:
	case <-ctx.Done():
	}
}

// act does the deed, unless that was done before.
func (c *client) act(ctx context.Context, s *scene, why string) error {
	if !c.round.off.CompareAndSwap(false, true) {
		return nil
	}
	err := c.deed.do(ctx, s, why)
	c.round.done <- err
	return err
}

// propagated has nothing to wait for: what sets the fault off comes while an operation runs, if at all.
func (*client) propagated(context.Context, *scene) error { return nil }

// hold waits for the state that sets the deed off, and for the end of what lasts of it.
func (c *client) hold(ctx context.Context, s *scene) error {
	defer close(c.round.over)
	if c.trigger.When != nil {
		if err := s.Helm.Await(ctx, *c.trigger.When); err != nil {
			return err
		}
		_ = c.act(ctx, s, "when "+c.trigger.When.Object+" was as awaited") // told of below
	}
	select {
	case err := <-c.round.done:
		if err != nil || c.deed.lasting == nil {
			return err
		}
	case <-ctx.Done():
		return nil
	}
	stop := context.AfterFunc(ctx, c.round.release)
	defer stop()
	return c.deed.lasting(context.WithoutCancel(ctx), s, c.round.released)
}

func (c *client) recover(context.Context, *scene) error {
	if c.round == nil {
		return nil // in rehearse gc
	}
	c.round.off.Store(true)
	c.round.remove()
	c.round.release()
	return nil
}

// recovered has nothing to wait for: the hold, with all that lasted, is over before.
func (*client) recovered(context.Context, *scene) error { return nil }

func checkTrigger(t v1alpha1.HelmTrigger) []registry.Problem {
	var all []registry.Problem
	stated := 0
	for _, m := range []struct {
		name  string
		match *v1alpha1.Match
	}{{"before", t.Before}, {"after", t.After}} {
		if m.match == nil {
			continue
		}
		stated++
		all = append(all, checkMatch(m.name, *m.match)...)
	}
	if t.When != nil {
		stated++
	}
	if stated > 1 {
		all = append(all, registry.Problem{Message: "states more than one of before, after and when; keep one of them"})
	}
	return all
}

// errCancelled is why a cancelled operation ended, errTimedOut why one did whose context timed out.
var (
	errCancelled = errors.New("the operation was cancelled by a fault")
	errTimedOut  = fmt.Errorf("the operation ran out of time by a fault: %w", context.DeadlineExceeded)
)
