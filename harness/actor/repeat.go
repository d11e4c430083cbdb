package actor

import (
	"context"
	"fmt"
	"time"
)

// grace is how long a repeated write that is under way may still take once its actor has been stopped. Were it cut off
// at once, it could take effect after Stop has returned.
const grace = 2 * time.Second

// repetition is an actor that writes at its interval.
type repetition struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// engage notes that an actor repeats. The context is that of its later writes: they outlive the step that ctx bounds.
func (t *Troupe) engage(ctx context.Context, name string) (context.Context, *repetition, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, nil, ErrClosed
	case t.repeating[name] != nil:
		return nil, nil, ErrRepeating
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &repetition{cancel: cancel, done: make(chan struct{})}
	t.repeating[name] = r
	return ctx, r, nil
}

// run writes at each interval until ctx ends. A write that takes longer than the interval delays the next one.
func (r *repetition) run(ctx context.Context, every time.Duration, write func(context.Context)) {
	defer close(r.done)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// Of several ready cases any may be chosen.
		if ctx.Err() != nil {
			return
		}
		late, cancel := outlasting(ctx, grace)
		write(late)
		cancel()
	}
}

// outlasting returns a context that ends this long after ctx has ended, and its release.
func outlasting(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, func() { time.AfterFunc(after, cancel) })
	return late, func() {
		detach()
		cancel()
	}
}

// Stop ends an actor's repetition and returns once its last write has. It may act again after that.
func (t *Troupe) Stop(name string) error {
	if _, err := t.member(name); err != nil {
		return err
	}
	t.mu.Lock()
	r := t.repeating[name]
	t.mu.Unlock()
	if r == nil {
		return fmt.Errorf("actor %s: %w", name, ErrNotRepeating)
	}
	r.cancel()
	<-r.done
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.repeating[name] == r {
		delete(t.repeating, name)
	}
	return nil
}

// Close ends every repetition and returns once their last writes have. It may be called again. Nobody acts after it.
func (t *Troupe) Close() {
	t.detach()
	for _, r := range t.dismiss() {
		<-r.done
	}
}

// dismiss tells every repetition to end.
func (t *Troupe) dismiss() []*repetition {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	all := make([]*repetition, 0, len(t.repeating))
	for _, r := range t.repeating {
		r.cancel()
		all = append(all, r)
	}
	return all
}

func (t *Troupe) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}
