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

// Holds waits until something holds, and fails the test if that takes too long.
func Holds(t T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if !poll(ctx, 20*time.Millisecond, ok) {
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
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
