package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/plan"
)

// errNoEffect says that a fault did not take effect that had to, so that what follows would say nothing.
var errNoEffect = errors.New("a fault did not take effect")

// faults are those of one variant, with all that runs for them.
type faults struct {
	stage *stage
	site  fault.Site
	all   []*staged
}

// staged is one fault on its stage.
type staged struct {
	*fault.Life
	spec v1alpha1.Fault
	// release ends its hold, and waits for it; nil if there is none.
	release func()
	// held is closed when its hold has ended; nil if there is none.
	held <-chan struct{}
}

// raiseFaults makes the faults of a stage. On a cluster that outlives the run they are noted before they are injected.
func (r *run) raiseFaults(s *stage) error {
	s.faults = &faults{stage: s}
	specs := s.plan.Scenario.Spec.Faults
	if len(specs) == 0 {
		return nil
	}
	site, err := fault.NewSite(s.arena.cluster, s.scope.Namespace)
	if err != nil {
		return err
	}
	site.Release, site.Seed, site.Helm = s.scope.Release, s.plan.Seed, s.atWork
	if s.gateway != nil {
		site.Path = s.gateway
	}
	s.faults.site = site
	var note fault.Note
	if s.arena.kept {
		note = fault.Note{Journal: r.cfg.Journal, Cluster: s.arena.cluster.Name()}
	}
	for _, spec := range specs {
		life, err := fault.NewLife(spec, site, s.rec, note)
		if err != nil {
			return err
		}
		s.faults.all = append(s.faults.all, &staged{Life: life, spec: spec})
	}
	return nil
}

// setUp asks whether every fault is available. The evidence says of which one, and why, if not.
func (f *faults) setUp(ctx context.Context) error {
	var errs []error
	for _, s := range f.all {
		errs = append(errs, f.act(ctx, s, "set up", s.SetUp))
	}
	return errors.Join(errs...)
}

func (f *faults) find(name string) (*staged, error) {
	for _, s := range f.all {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no fault %s", ErrHarness, name)
}

// named are the faults of these names that fit.
func (f *faults) named(names []string, fits func(*staged) bool) []*staged {
	var found []*staged
	for _, s := range f.all {
		if slices.Contains(names, s.Name()) && fits(s) {
			found = append(found, s)
		}
	}
	return found
}

// enter injects the faults of a step that are to be active before its operation begins. Its error wraps errNoEffect.
func (f *faults) enter(ctx context.Context, step plan.Step) error {
	for _, s := range f.named(step.During, func(s *staged) bool { return !s.spec.Late() && !s.Active() }) {
		if err := f.inject(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// inject injects a fault and waits until it is seen to have taken effect.
func (f *faults) inject(ctx context.Context, s *staged) error {
	err := f.act(ctx, s, "inject", s.Inject)
	if err == nil {
		f.hold(ctx, s)
		err = f.act(ctx, s, "wait until it has taken effect", s.WaitForPropagation)
	}
	if err != nil && s.Passes() {
		_ = f.recoverAll(ctx, []*staged{s}) // its time would never come; the evidence has what comes of this
	}
	if err != nil && (isTrue(s.spec.RequireFired) || errors.Is(err, cluster.ErrUnsupported)) {
		return fmt.Errorf("%w: %w", errNoEffect, err)
	}
	return nil
}

// hold lets a fault do what it does as long as it is active, and recovers one that ends by itself when its time has come.
func (f *faults) hold(ctx context.Context, s *staged) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Hold(ctx)
		if s.Pass(ctx) {
			alive, stop := f.stage.arena.whileAlive(context.WithoutCancel(ctx))
			defer stop()
			_ = f.mend(alive, s) // the evidence has it, and whoever ends the step will try again
		}
	}()
	s.held = ended
	s.release = func() {
		cancel()
		<-ended
	}
}

// accompany injects the faults of a step that come while its operation runs. The caller calls stop when that is over: a
// fault whose turn has not come by then is not injected any more, and one whose has is waited for.
func (f *faults) accompany(ctx context.Context, step plan.Step) (stop func()) {
	waiting, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	var stops []func()
	for _, s := range f.named(step.During, func(s *staged) bool { return s.spec.Late() && !s.Active() }) {
		if m := s.spec.AfterRequest; m != nil {
			stops = append(stops, f.site.AfterRequest(*m, s.Name(), func() { _ = f.inject(ctx, s) })) // the evidence has it
			continue
		}
		all.Go(func() {
			timer := time.NewTimer(s.spec.After.Duration)
			defer timer.Stop()
			select {
			case <-waiting.Done():
			case <-timer.C:
				_ = f.inject(ctx, s) // the evidence has it
			}
		})
	}
	return func() {
		cancel()
		for _, stop := range stops {
			stop()
		}
		all.Wait()
	}
}

// count has every fault that is active tell of the firings up to the end of an operation, which came to outcome.
func (f *faults) count(ctx context.Context, outcome error) {
	for _, s := range f.all {
		s.Count(ctx, outcome)
	}
}

// clear waits until no fault is active any more that ends by itself: as long as one is, nobody sees the cluster. Once ctx
// ends, it ends them.
func (f *faults) clear(ctx context.Context) {
	for _, s := range f.all {
		if s.held == nil || !s.Passes() {
			continue
		}
		select {
		case <-s.held:
		case <-ctx.Done():
		}
		_ = f.recoverAll(ctx, []*staged{s}) // as far as it has not recovered; the evidence has what comes of this
	}
}

// missing is the first fault of a step that had to take effect and has not; empty if there is none.
func (f *faults) missing(step plan.Step) string {
	for _, s := range f.named(step.During, func(s *staged) bool { return isTrue(s.spec.RequireFired) && s.Fired() == 0 }) {
		return s.Name()
	}
	return ""
}

// leave recovers the faults of a step that the next one does not name too.
func (f *faults) leave(ctx context.Context, step plan.Step, next []string) error {
	return f.recoverAll(ctx, f.named(step.During, func(s *staged) bool { return !slices.Contains(next, s.Name()) }))
}

// end recovers every fault that is still active, and ends their lives.
func (f *faults) end(ctx context.Context) error {
	err := f.recoverAll(ctx, f.all)
	for _, s := range f.all {
		if s.Active() {
			continue // it could not be recovered; the evidence and the journal have it
		}
		err = errors.Join(err, f.act(context.WithoutCancel(ctx), s, "clean up", s.CleanUp))
	}
	return err
}

// recoverAll recovers those that are active, the last one first, also once ctx has ended.
func (f *faults) recoverAll(ctx context.Context, all []*staged) error {
	ctx, stop := f.stage.arena.whileAlive(context.WithoutCancel(ctx))
	defer stop()
	var errs []error
	for _, s := range slices.Backward(all) {
		errs = append(errs, f.recover(ctx, s))
	}
	return errors.Join(errs...)
}

// recover recovers a fault, if it is active, and waits until it is seen to have recovered.
func (f *faults) recover(ctx context.Context, s *staged) error {
	if s.release != nil {
		s.release()
		s.release = nil
	}
	if !s.Active() {
		return nil
	}
	return f.mend(ctx, s)
}

// mend ends an active fault and waits until it is seen to have ended.
func (f *faults) mend(ctx context.Context, s *staged) error {
	if err := f.act(ctx, s, "recover", s.Recover); err != nil {
		return err
	}
	return f.act(ctx, s, "wait until it has recovered", s.WaitForRecovery)
}

// act does one thing to a fault within the fault's own deadline.
func (f *faults) act(ctx context.Context, s *staged, what string, do func(context.Context) error) error {
	f.stage.tell.WaitingFor(fmt.Sprintf("fault %s (%s): %s", s.Name(), s.spec.Do.Kind, what))
	bound := s.spec.Timeout.Duration
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("the fault's timeout of %s has passed", bound))
	defer cancel()
	return do(ctx)
}

func inject(ctx context.Context, s *stage, spec *v1alpha1.Inject) error {
	f, err := s.faults.find(spec.Fault)
	if err != nil {
		return err
	}
	return s.faults.inject(ctx, f)
}

// recoverFault has nothing to do in finally, if the run ended before the fault was injected.
func recoverFault(ctx context.Context, s *stage, spec *v1alpha1.Recover) error {
	f, err := s.faults.find(spec.Fault)
	if err != nil {
		return err
	}
	if err := s.faults.recover(ctx, f); err != nil {
		return fmt.Errorf("%w: %w", ErrHarness, err)
	}
	return nil
}

// withhold makes an outcome inconclusive that says nothing, since a fault that had to take effect has not.
func (s *stage) withhold(step plan.Step, done *evidence.StepFinished, err error) {
	switch missing := s.faults.missing(step); {
	case done.Errored || done.Mismatch == "":
	case errors.Is(err, errNoEffect):
		done.Inconclusive = true
	case missing != "":
		done.Inconclusive = true
		done.Mismatch = fmt.Sprintf("fault %s had not taken effect when this was seen: %s", missing, done.Mismatch)
	}
}
