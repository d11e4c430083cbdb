// Package eventually is for tests that wait for what cannot be watched.
package eventually

import (
	"context"
	"time"
)

// limit is longer than anything here takes on a busy machine.
const limit = time.Minute

// T is what it needs of a test.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Within waits until something holds, and reports whether it did within a time.
func Within(limit time.Duration, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return poll(ctx, 20*time.Millisecond, ok)
}

// Holds waits until something holds, and fails the test if that takes too long.
func Holds(t T, what string, ok func() bool) {
	t.Helper()
	if !Within(limit, ok) {
		t.Fatalf("not after %s: %s", limit, what)
	}
}

// Do calls do as soon as ok, in the background and unless ctx ends first.
func Do(ctx context.Context, ok func() bool, do func()) {
	go func() {
		if poll(ctx, 5*time.Millisecond, ok) {
			do()
		}
	}()
}

// poll returns true once ok does, and false if ctx ends before.
func poll(ctx context.Context, interval time.Duration, ok func() bool) bool {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !ok() {
		if ctx.Err() != nil {
			return false // a tick may be due as well
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
