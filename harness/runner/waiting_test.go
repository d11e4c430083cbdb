package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/verdict"
)

func TestWaitingText(t *testing.T) {
	t.Parallel()
	object := func(kind, name, status, message string) observe.Unfinished {
		return observe.Unfinished{Ref: evidence.Ref{Kind: kind, Name: name}, Status: status, Message: message}
	}
	db, backend := object("StatefulSet", "db", "InProgress", "Ready: 0/1"), object("Deployment", "backend", "Failed", "")
	for want, all := range map[string][]observe.Unfinished{
		"":                                   nil,
		"awaits StatefulSet/db (Ready: 0/1)": {db},
		"awaits Deployment/backend (Failed), StatefulSet/db (Ready: 0/1)":                                         {backend, db},
		"awaits " + strings.Repeat("StatefulSet/db (Ready: 0/1), ", 2) + "StatefulSet/db (Ready: 0/1) and 2 more": {db, db, db, db, db},
	} {
		if got := waitingText(all); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestTellsWhatStepsWaitFor: while Helm waits for a workload, the user is told for which, and why.
func TestTellsWhatStepsWaitFor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	cfg := Config{Providers: Always(lends(borrow(t))), Parallel: 1, Progress: told(func(e progress.Event) {
		if mu.Lock(); e.Kind == progress.Waiting && e.Variant != "" {
			heard = append(heard, e.Detail)
		}
		mu.Unlock()
	})}
	out := perform(t, t.Context(), cfg, prepare(t, map[string]string{"slow": `  release: {name: r, chart: app}
  readiness: [{workload: Deployment/app, delay: 3s}]
  steps: [{name: v1, install: {}}]
`}, app))
	if got := out.Variants[0]; got.Status != verdict.Passed {
		t.Fatalf("%s: %s", got.Status, got.Reason)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(heard, func(s string) bool { return strings.HasPrefix(s, "awaits Deployment/app (") }) {
		t.Errorf("heard %q", heard)
	}
}

// TestFailureOfTheHarness: what is no outcome of Helm's is told from what is.
func TestFailureOfTheHarness(t *testing.T) {
	t.Parallel()
	s := &stage{arena: &arena{}}
	for name, err := range map[string]error{
		"the harness":                   fmt.Errorf("%w: boom", ErrHarness),
		"an operation that never began": fmt.Errorf("upgrade was cut short: %w: %w", release.ErrNotBegun, context.DeadlineExceeded),
	} {
		if got := s.failure(t.Context(), t.Context(), err); !errors.Is(got, err) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := s.failure(t.Context(), t.Context(), nil); got != nil {
		t.Errorf("success: %v", got)
	}
}
