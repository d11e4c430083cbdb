package runner

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestTimeable: a context and those made of it say why they ended.
func TestTimeable(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, test := range map[string]struct{ cause, want error }{
		"cancelled": {boom, context.Canceled},
		"timed out": {fmt.Errorf("by a fault: %w", context.DeadlineExceeded), context.DeadlineExceeded},
	} {
		parent, cancel := context.WithCancelCause(t.Context())
		ctx := newTimeable(parent)
		child, stop := context.WithCancel(ctx)
		defer stop()
		if ctx.Err() != nil || child.Err() != nil {
			t.Errorf("%s: it has ended before: %v, %v", name, ctx.Err(), child.Err())
		}
		cancel(test.cause)
		<-ctx.Done()
		<-child.Done()
		if !errors.Is(ctx.Err(), test.want) || !errors.Is(child.Err(), test.want) || !errors.Is(context.Cause(child), test.cause) {
			t.Errorf("%s: %v, %v for %v", name, ctx.Err(), child.Err(), context.Cause(child))
		}
	}
}
