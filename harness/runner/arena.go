package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/readiness"
)

// arena is a cluster made ready for rehearsals: watched, and able to hold back readiness.
type arena struct {
	cluster cluster.Cluster
	hub     *observe.Hub
	// own is set if one variant has the cluster for itself.
	own bool
	// kept is set if the cluster outlives the run, so that everything made in it must be removed again.
	kept bool
	// unheld says why readiness cannot be held back there; nil if it can.
	unheld error
}

// openArena prepares a cluster. The hub watches until close, not until ctx ends: evidence of an interrupted step
// still has to be taken.
func openArena(ctx context.Context, c cluster.Cluster) (*arena, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, setUpBound, errSetUp)
	defer cancel()
	var hub *observe.Hub
	var unheld error
	var group errgroup.Group
	group.Go(func() error { // takes up to a second, until the API server heeds the policy
		err := readiness.Install(ctx, c.RESTConfig())
		if errors.Is(err, readiness.ErrUnsupported) {
			unheld = readiness.ErrUnsupported
			return nil
		}
		if err != nil {
			return fmt.Errorf("preparing cluster %s to hold back readiness: %w", c.Name(), err)
		}
		return nil
	})
	watching, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	stopWaiting := context.AfterFunc(ctx, func() { giveUp(context.Cause(ctx)) })
	defer stopWaiting()
	group.Go(func() (err error) {
		hub, err = observe.Start(watching, c.RESTConfig())
		return err
	})
	if err := group.Wait(); err != nil {
		if hub != nil {
			hub.Close()
		}
		return nil, err
	}
	return &arena{cluster: c, hub: hub, unheld: unheld}, nil
}

// death says why the cluster died; nil while it lives, and if it cannot tell.
func (a *arena) death() error {
	mortal, ok := a.cluster.(cluster.Mortal)
	if !ok {
		return nil
	}
	cause := mortal.Cause()
	if cause == nil {
		return nil
	}
	// What follows the first line is the end of a log. Whole logs are put beside the evidence.
	brief, _, _ := strings.Cut(cause.Error(), "\n")
	return fmt.Errorf("cluster %s died: %s", a.cluster.Name(), strings.TrimSuffix(brief, "; the end of its log:"))
}

// whileAlive returns a context that ends when the cluster dies.
func (a *arena) whileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	mortal, ok := a.cluster.(cluster.Mortal)
	if !ok {
		return ctx, func() { cancel(nil) }
	}
	if death := a.death(); death != nil {
		cancel(death)
	}
	go func() {
		select {
		case <-mortal.Died():
			cancel(a.death())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

func (a *arena) close(ctx context.Context) error {
	a.hub.Close()
	if a.kept { // somebody else ends it
		return nil
	}
	return deleteCluster(ctx, a.cluster)
}

func deleteCluster(ctx context.Context, c cluster.Cluster) error {
	ctx, cancel := context.WithTimeoutCause(ctx, closeBound, errClose)
	defer cancel()
	return c.Delete(ctx)
}

// pool hands out arenas: one shared by the variants that get by with a namespace, one each for those that do not.
type pool struct {
	choose   Providers
	attached cluster.Cluster
	progress func(phase string)
	// logs is the folder for the logs of clusters that could not be made ready.
	logs string

	mu     sync.Mutex
	shared map[string]*sharedArena // by what is needed
	booted []*arena                // all that were booted here
}

// sharedArena is booted once, by whoever needs it first.
type sharedArena struct {
	once  sync.Once
	arena *arena
	err   error
}

func newPool(choose Providers, attached cluster.Cluster, progress func(string), logs string) *pool {
	return &pool{choose: choose, attached: attached, progress: progress, logs: logs, shared: map[string]*sharedArena{}}
}

// acquire returns an arena that fits the needs. The caller closes it if it is its own.
func (p *pool) acquire(ctx context.Context, needs plan.Needs) (*arena, error) {
	if needs.Isolation == isolationCluster {
		return p.boot(ctx, needs, true)
	}
	s := p.slot(needs)
	s.once.Do(func() {
		if p.attached == nil {
			s.arena, s.err = p.boot(ctx, needs, false)
			return
		}
		if s.arena, s.err = openArena(ctx, p.attached); s.err == nil {
			s.arena.kept = true
		}
	})
	if s.err == nil {
		return s.arena, s.arena.death()
	}
	return nil, s.err
}

func (p *pool) slot(needs plan.Needs) *sharedArena {
	key := "" // an attached cluster is what it is
	if p.attached == nil {
		key = asJSON(needs)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared[key] == nil {
		p.shared[key] = &sharedArena{}
	}
	return p.shared[key]
}

func (p *pool) boot(ctx context.Context, needs plan.Needs, own bool) (*arena, error) {
	provider, err := p.choose(needs)
	if err != nil {
		return nil, fmt.Errorf("choosing who makes a cluster: %w", err)
	}
	c, err := provider.Create(ctx, cluster.Spec{Nodes: needs.Nodes, Progress: p.progress})
	if err != nil {
		return nil, fmt.Errorf("booting a cluster (provider %s): %w", provider.Name(), err)
	}
	a, err := openArena(ctx, c)
	if err != nil {
		after := context.WithoutCancel(ctx)
		if ctx.Err() == nil {
			err = errors.Join(err, collectLogs(after, c, filepath.Join(p.logs, c.Name())))
		}
		return nil, errors.Join(err, deleteCluster(after, c))
	}
	a.own = own
	p.mu.Lock()
	defer p.mu.Unlock()
	p.booted = append(p.booted, a)
	return a, nil
}

// closeOwn ends a cluster that one variant had for itself.
func (p *pool) closeOwn(ctx context.Context, a *arena) error {
	p.mu.Lock()
	p.booted = slices.DeleteFunc(p.booted, func(b *arena) bool { return b == a })
	p.mu.Unlock()
	return a.close(ctx)
}

// close ends every cluster that was booted here and has not been ended yet, and stops watching an attached one.
func (p *pool) close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, a := range p.booted {
		errs = append(errs, a.close(ctx))
	}
	for _, s := range p.shared {
		if s.arena != nil && s.arena.kept {
			errs = append(errs, s.arena.close(ctx))
		}
	}
	return errors.Join(errs...)
}
