package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/verdict"
)

// Kept is what --keep left of one variant.
type Kept struct {
	// Variant is the variant's ID.
	Variant string
	// Kubeconfig is a file that reaches its cluster.
	Kubeconfig string
	// Namespace is where its release is.
	Namespace string
}

// kept is a stage that is left as it is until the user has looked at it.
type kept struct {
	stage *stage
	Kept
}

// keep leaves a stage as it is: its actors rest, and pods go on to become ready as they should.
func (r *run) keep(s *stage, variant string) {
	s.stopActing()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, kept{s, Kept{variant, s.arena.cluster.KubeconfigPath(), s.scope.Namespace}})
}

// linger gives the user time to look at what was kept and at what became of it so far, and returns how long that was.
func (r *run) linger(ctx context.Context, soFar verdict.Run) time.Duration {
	begin := time.Now()
	all := make([]Kept, len(r.kept))
	for i, k := range r.kept {
		all[i] = k.Kept
	}
	if len(all) > 0 && ctx.Err() == nil {
		r.cfg.Linger(ctx, soFar, all)
	}
	return time.Since(begin)
}

// remove begins to remove what a stage made.
func (r *run) remove(ctx context.Context, s *stage) {
	if err := s.remove(ctx); err != nil {
		r.unclean(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = append(r.leaving, s)
}

// cleanUp removes what was kept, waits until all is gone and ends the clusters.
func (r *run) cleanUp(ctx context.Context) {
	tell := progress.For(r.cfg.Progress, "")
	if len(r.kept) > 0 {
		tell.WaitingFor(cleaningUp(nil)) // who pressed Ctrl-C sees at once that it was heard
	}
	for _, k := range r.kept {
		r.unclean(k.stage.stop())
		r.remove(ctx, k.stage)
	}
	tell.WaitingFor(cleaningUp(r.leaving))
	var all sync.WaitGroup
	for _, s := range r.leaving {
		all.Go(func() { r.unclean(s.gone(ctx)) })
	}
	all.Wait()
	r.unclean(r.pool.close(ctx))
}

// cleaningUp says what clean-up waits for, if it does: the namespaces on a cluster that outlives the run.
func cleaningUp(leaving []*stage) string {
	var names []string
	for _, s := range leaving {
		if s.outlived() {
			names = append(names, s.scope.Namespace)
		}
	}
	switch len(names) {
	case 0:
		return "cleaning up"
	case 1:
		return "cleaning up: waiting for namespace " + names[0] + " to go"
	}
	return fmt.Sprintf("cleaning up: waiting for %d namespaces to go", len(names))
}

// outlived reports whether gone has something to wait for.
func (s *stage) outlived() bool { return s.noted != nil && s.arena.death() == nil }

// unclean takes note of what could not be removed; a nil error is none.
func (r *run) unclean(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leftovers = errors.Join(r.leftovers, err)
}
