package kind

import (
	"context"
	"fmt"
)

// pending is a call of kind's that goes on: kind takes no context. It is the one place where its calls are adapted.
type pending struct {
	what string
	done chan struct{}
	err  error // valid once done is closed
}

// start begins a call.
func start(what string, f func() error) *pending {
	p := &pending{what: what, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = f()
	}()
	return p
}

// wait waits for the call's end and returns its error. If ctx ends first the call goes on: take away what it works on,
// then settle.
func (p *pending) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.what, context.Cause(ctx))
	}
}

// settled tells whether the call has ended.
func (p *pending) settled() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// call makes a call of kind's that changes nothing that would have to be undone.
func call(ctx context.Context, what string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	return start(what, f).wait(ctx)
}
