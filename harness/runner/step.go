package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/verdict"
)

// performAll performs the steps until one does not come to what it must, and then those of finally, all of them. Nothing
// is performed any more once ctx has ended or evidence can no longer be written. It reports whether logs are of use: the
// harness failed, or a step did not come to what it must.
func (s *stage) performAll(ctx context.Context) (trouble bool) {
	defer func() {
		trouble = s.faults.end(ctx) != nil || trouble
		s.restarts.note()
	}()
	if err := s.faults.setUp(ctx); err != nil {
		return !errors.Is(err, cluster.ErrUnsupported)
	}
	if s.lacks() {
		return false
	}
	for i, step := range s.plan.Steps {
		if ctx.Err() != nil || s.rec.Err() != nil {
			return trouble
		}
		done := s.told(ctx, step, false)
		trouble = trouble || done.Mismatch != "" && !done.Inconclusive
		var next []string // those of the next step, if it will be performed
		if done.Mismatch == "" && i+1 < len(s.plan.Steps) {
			next = s.plan.Steps[i+1].During
		}
		trouble = s.faults.leave(ctx, step, next) != nil || trouble
		if done.Mismatch != "" {
			break
		}
	}
	for _, step := range s.plan.Finally {
		if ctx.Err() != nil || s.rec.Err() != nil {
			return trouble
		}
		done := s.told(ctx, step, true)
		trouble = trouble || done.Mismatch != "" && !done.Inconclusive
		trouble = s.faults.leave(ctx, step, nil) != nil || trouble
	}
	return trouble
}

// told performs a step and tells the user of it.
func (s *stage) told(ctx context.Context, step plan.Step, finally bool) evidence.StepFinished {
	s.tell.StepStarted(step.Name, step.Operation)
	done := s.perform(ctx, step, finally)
	status := verdict.Passed
	switch {
	case done.Errored:
		status = verdict.Errored
	case done.Inconclusive:
		status = verdict.Inconclusive
	case done.Mismatch != "":
		status = verdict.Failed
	}
	s.tell.StepFinished(step.Name, done.Took, status, s.redactor.Text(done.Mismatch))
	return done
}

// perform runs one step: operation, ledger, snapshot, and the comparison with what it must come to. The step counts as
// under way until its snapshot is taken, so that its transitions are its own.
//
// Faults that are to be active before the operation belong to no step, so that the time they take is none of the
// operation's.
func (s *stage) perform(ctx context.Context, step plan.Step, finally bool) evidence.StepFinished {
	err := s.enter(ctx, step)
	s.rec.SetStep(step.Name)
	s.rec.Record(evidence.Event{Started: &evidence.StepStarted{Operation: step.Operation}})
	begin := s.rec.Now()
	stopFaults := func() {}
	if err == nil {
		stopFaults = s.faults.accompany(ctx, step)
		stopTelling := s.tellWaiting(ctx)
		err = s.operate(ctx, step)
		stopTelling()
	}
	took := s.rec.Now() - begin
	stopFaults()

	after, stop := s.arena.whileAlive(context.WithoutCancel(ctx))
	defer stop()
	s.faults.clear(ctx)
	ledger, incomplete := s.takeEvidence(after, step, err)
	done := evidence.StepFinished{Operation: step.Operation, Took: took, Finally: finally}
	if err != nil {
		done.Error = err.Error()
	}
	if failure := s.failure(ctx, after, err); failure != nil {
		done.Errored, done.Mismatch = true, failure.Error()
	} else if incomplete != nil && looksAtStorage(step.Expect) {
		done.Errored, done.Mismatch = true, fmt.Sprintf("Helm's storage could not be read: %v", incomplete)
	} else {
		done.Mismatch = mismatch(step.Expect, err, ledger)
	}
	s.withhold(step, &done, err)
	s.restarts.note()
	s.rec.Record(evidence.Event{Finished: &done})
	s.rec.SetStep("")
	return done
}

// takeEvidence counts what the step's faults did to the operation, whose outcome err is, and takes the snapshot.
func (s *stage) takeEvidence(ctx context.Context, step plan.Step, err error) (evidence.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, evidenceBound)
	defer cancel()
	s.faults.count(ctx, err)
	return s.snapshot(ctx, step.Name)
}

// failure tells the harness's failures from the operation's outcome err: it is nil if the outcome counts. ctx is that of
// the step, after one that has not ended.
func (s *stage) failure(ctx, after context.Context, err error) error {
	switch death := s.arena.death(); {
	case death != nil:
		return death
	case ctx.Err() != nil:
		return fmt.Errorf("the run was interrupted during this step: %w", context.Cause(ctx))
	case errors.Is(err, ErrHarness), errors.Is(err, release.ErrNotBegun):
		return err
	case err != nil && !s.answers(after):
		return fmt.Errorf("the cluster's API server does not answer any more; the operation said: %w", err)
	}
	return nil
}

// enter says which pods are held back in the step, as long as the cluster can be told, and injects the faults that are to
// be active before its operation.
func (s *stage) enter(ctx context.Context, step plan.Step) error {
	bound := step.Timeout.Duration
	telling, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("the step's deadline of %s has passed", bound))
	defer cancel()
	if err := s.readiness.EnterStep(telling, step.Name); err != nil {
		return fmt.Errorf("%w: telling the cluster which pods are held back in this step: %w", ErrHarness, err)
	}
	return s.faults.enter(ctx, step)
}

// operate runs the operation under the step's deadline.
func (s *stage) operate(ctx context.Context, step plan.Step) error {
	entry, err := Operations().Lookup(step.Operation)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHarness, err)
	}
	run := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, step.Timeout.Duration, fmt.Errorf("the step's deadline of %s has passed", step.Timeout.Duration))
	defer cancel()
	if _, ok := helmOf(step.Spec); ok {
		var end func()
		ctx, end = s.atWork.begin(ctx, run)
		defer end()
	}
	return entry.Code.run(ctx, s, step.Spec)
}

// snapshot records the state of the cluster and of Helm's storage. What cannot be read makes it incomplete, which
// makes the assertions that need it inconclusive. The error is that of Helm's storage.
func (s *stage) snapshot(ctx context.Context, step string) (evidence.Ledger, error) {
	snap := evidence.Snapshot{Step: step}
	var ledger evidence.Ledger
	var ledgerErr error
	// Both wait for the API server more than they work.
	var reading sync.WaitGroup
	reading.Go(func() { ledger, ledgerErr = s.observer.Ledger(ctx) })
	objects, err := s.watching.Snapshot(ctx)
	snap.Objects, snap.At = objects, s.rec.Now() // not when the ledger is there too: objects go on to change
	reading.Wait()
	if err != nil {
		snap.Incomplete = append(snap.Incomplete, "objects: "+err.Error())
	}
	if ledgerErr != nil {
		snap.Incomplete = append(snap.Incomplete, "ledger: "+ledgerErr.Error())
	}
	snap.Ledger = ledger
	// A write error is kept by the recorder and makes the variant errored.
	_ = s.rec.Snapshot(snap)
	return ledger, ledgerErr
}

// answers reports whether the API server is there at all. It has a time of its own: evidence that took long says nothing of that.
func (s *stage) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, evidenceBound)
	defer cancel()
	_, err := s.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err == nil
}
