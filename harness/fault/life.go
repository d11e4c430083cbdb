package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
)

// Why a fault does not do what it is asked to.
var (
	// ErrTransition says that a fault is not in a state in which that can be done to it.
	ErrTransition = errors.New("not now in the fault's life")
	// ErrNoTarget says that nothing is there that the fault could break.
	ErrNoTarget = errors.New("it has no target")
)

// State is how far a fault is in its life.
type State string

// The states, in the order of a life. A fault that was restored may be injected again.
const (
	New        State = "new"
	Ready      State = "ready"      // set up
	Injected   State = "injected"   // brought about, or as much of it as an injection that failed has
	Propagated State = "propagated" // seen to have taken effect
	Recovered  State = "recovered"  // ended
	Restored   State = "restored"   // seen to have ended
	CleanedUp  State = "cleanedUp"  // over
)

// Action is what is done to a fault.
type Action string

// The actions.
const (
	SetUp              Action = "setUp"
	Inject             Action = "inject"
	WaitForPropagation Action = "waitForPropagation"
	Recover            Action = "recover"
	WaitForRecovery    Action = "waitForRecovery"
	CleanUp            Action = "cleanUp"
	// Hold goes on beside the others, from Inject to Recover.
	Hold Action = "hold"
	// Count may be done whenever the fault is active, and leads nowhere.
	Count Action = "count"
)

// transition says where an action may begin, and where it leads.
type transition struct {
	from []State
	to   State
	// failed is where it leads if it fails; empty stays.
	failed State
	phase  evidence.FaultPhase
}

// transitions are all that are legal. An active fault cannot be cleaned up: it has to recover first.
var transitions = map[Action]transition{
	SetUp:              {from: []State{New}, to: Ready},
	Inject:             {from: []State{Ready, Restored}, to: Injected, failed: Injected},
	WaitForPropagation: {from: []State{Injected}, to: Propagated, phase: evidence.FaultPropagated},
	Recover:            {from: []State{Injected, Propagated}, to: Recovered, phase: evidence.FaultRecovered},
	WaitForRecovery:    {from: []State{Recovered}, to: Restored, phase: evidence.FaultRecoverySeen},
	CleanUp:            {from: []State{New, Ready, Recovered, Restored}, to: CleanedUp, phase: evidence.FaultCleanedUp},
}

// Sink takes evidence; evidence.Recorder is one.
type Sink interface {
	Record(evidence.Event) int64
}

// Life is one fault of a scenario. It is safe for concurrent use: one action is done at a time.
type Life struct {
	name, kind string
	site       Site
	breaker    breaker
	sink       Sink
	note       Note

	acting sync.Mutex // held while an action is under way

	mu     sync.Mutex // guards what follows
	state  State
	aim    Aim
	firing int
}

// Name is the fault's name in its scenario.
func (l *Life) Name() string { return l.name }

// State is how far the fault is.
func (l *Life) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Active reports whether the fault was injected, in whole or in part, and has not recovered since.
func (l *Life) Active() bool { return slices.Contains(transitions[Recover].from, l.State()) }

// Fired is how often it took effect so far.
func (l *Life) Fired() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firing
}

// SetUp finds out whether the fault is available. If it is not, its error wraps cluster.ErrUnsupported.
func (l *Life) SetUp(ctx context.Context) error {
	return l.do(SetUp, func(s *scene) error { return l.breaker.available(ctx, s.Site) })
}

// Inject finds the fault's targets, notes what undoing it takes, and breaks them. After an error it has to recover too,
// unless that wraps cluster.ErrUnsupported.
func (l *Life) Inject(ctx context.Context) error {
	return l.do(Inject, func(s *scene) error {
		aim, err := l.breaker.aim(ctx, s.Site)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.aim, s.Aim = aim, aim
		l.mu.Unlock()
		if err := l.note.begin(aim.Undo); err != nil {
			return err
		}
		l.record(evidence.Fault{Phase: evidence.FaultInjected})
		err = l.breaker.inject(ctx, s)
		if errors.Is(err, cluster.ErrUnsupported) {
			err = errors.Join(err, l.note.done())
		}
		return err
	})
}

// WaitForPropagation returns once the fault is seen to have taken effect, or to lie in wait if that is all it can do by
// itself.
func (l *Life) WaitForPropagation(ctx context.Context) error {
	return l.do(WaitForPropagation, func(s *scene) error { return l.breaker.propagated(ctx, s) })
}

// Passes reports whether the fault ends by itself, and takes from everybody the sight of the cluster until then.
func (l *Life) Passes() bool {
	_, ok := l.breaker.(passer)
	return ok
}

// Pass returns true once a fault that ends by itself has lasted as long as it is to; the caller then recovers it. It
// returns false if ctx ends before, and at once for any other fault.
func (l *Life) Pass(ctx context.Context) bool {
	p, ok := l.breaker.(passer)
	return ok && l.Active() && p.pass(ctx, l.scene()) == nil
}

// Hold does what a fault does as long as it is active, until ctx ends. Not every kind does anything. A failure is in the
// evidence.
func (l *Life) Hold(ctx context.Context) {
	h, ok := l.breaker.(holder)
	if !ok || !l.Active() {
		return
	}
	if err := h.hold(ctx, l.scene()); err != nil && ctx.Err() == nil {
		l.record(evidence.Fault{Phase: evidence.FaultFailed, Action: string(Hold), Detail: err.Error()})
	}
}

// Count records firings that are known only to who asks for them, of a fault that is active; outcome is the error of the
// operation that has just ended, if it has. Not every kind has such firings. A failure is in the evidence.
func (l *Life) Count(ctx context.Context, outcome error) {
	l.acting.Lock()
	defer l.acting.Unlock()
	if l.Active() {
		l.count(ctx, outcome)
	}
}

// count counts while the caller acts.
func (l *Life) count(ctx context.Context, outcome error) {
	s := l.scene()
	c, ok := l.breaker.(counter)
	if !ok || s.Undo == nil {
		return
	}
	if err := c.count(ctx, s, outcome); err != nil {
		l.record(evidence.Fault{Phase: evidence.FaultFailed, Action: string(Count), Detail: err.Error()})
	}
}

// Recover ends the fault.
func (l *Life) Recover(ctx context.Context) error {
	return l.do(Recover, func(s *scene) error {
		if s.Undo == nil {
			return nil // it found no target
		}
		l.count(ctx, nil)
		return l.breaker.recover(ctx, s)
	})
}

// WaitForRecovery returns once the fault is seen to have ended.
func (l *Life) WaitForRecovery(ctx context.Context) error {
	return l.do(WaitForRecovery, func(s *scene) error {
		if s.Undo == nil {
			return nil
		}
		if err := l.breaker.recovered(ctx, s); err != nil {
			return err
		}
		return l.note.done()
	})
}

// CleanUp ends the fault's life. Of one that recovered, but was not seen to have, a note stays for rehearse gc.
func (l *Life) CleanUp(context.Context) error {
	return l.do(CleanUp, func(*scene) error { return nil })
}

// do performs an action if it is legal now, and records what it came to.
func (l *Life) do(a Action, perform func(*scene) error) error {
	l.acting.Lock()
	defer l.acting.Unlock()
	t, state := transitions[a], l.State()
	if !slices.Contains(t.from, state) {
		return fmt.Errorf("fault %s: %w: it is %s, so %s cannot follow", l.name, ErrTransition, state, a)
	}
	err := perform(l.scene())
	next := t.to
	switch {
	case errors.Is(err, cluster.ErrUnsupported):
		next = state // nothing was done
	case err != nil && t.failed != "":
		next = t.failed
	case err != nil:
		next = state
	}
	l.mu.Lock()
	l.state = next
	l.mu.Unlock()
	switch {
	case errors.Is(err, cluster.ErrUnsupported):
		l.record(evidence.Fault{Phase: evidence.FaultUnavailable, Action: string(a), Detail: err.Error()})
	case err != nil:
		l.record(evidence.Fault{Phase: evidence.FaultFailed, Action: string(a), Detail: err.Error()})
	case t.phase != "":
		l.record(evidence.Fault{Phase: l.phase(t.phase)})
	}
	if err != nil {
		return fmt.Errorf("fault %s: %s: %w", l.name, a, err)
	}
	return nil
}

// phase is what the evidence calls the end of a transition.
func (l *Life) phase(p evidence.FaultPhase) evidence.FaultPhase {
	if _, ok := l.breaker.(lurker); ok && p == evidence.FaultPropagated {
		return evidence.FaultArmed
	}
	return p
}

// record completes an event of the fault's life.
func (l *Life) record(e evidence.Fault) {
	l.mu.Lock()
	e.Name, e.Kind = l.name, l.kind
	if e.Targets == nil {
		e.Targets = l.aim.Targets
	}
	if e.Phase == evidence.FaultFired {
		l.firing++
		e.Firing = l.firing
	}
	l.mu.Unlock()
	l.sink.Record(evidence.Event{Fault: &e})
}

func (l *Life) scene() *scene {
	l.mu.Lock()
	defer l.mu.Unlock()
	firedAt := func(r evidence.Request, target evidence.Ref, detail string) {
		l.record(evidence.Fault{Phase: evidence.FaultFired, Targets: []evidence.Ref{target}, Detail: detail, Request: r.Number})
	}
	return &scene{Site: l.site, Aim: l.aim, name: l.name, firedAt: firedAt, fired: func(target evidence.Ref, detail string) {
		firedAt(evidence.Request{}, target, detail)
	}}
}
