package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/evidence"
)

// fake is a breaker that breaks nothing.
type fake struct {
	calls []string
	// fails is the error of an action.
	fails map[Action]error
	// noted is what the journal holds while it injects.
	noted func() int
	held  int
}

func (f *fake) call(a Action) error {
	f.calls = append(f.calls, string(a))
	return f.fails[a]
}

func (f *fake) available(context.Context, Site) error { return f.call(SetUp) }

func (f *fake) aim(context.Context, Site) (Aim, error) {
	return Aim{Targets: []evidence.Ref{{Kind: "Pod", Name: "x"}}, Undo: map[string]string{"pod": "x"}}, f.fails["aim"]
}

func (f *fake) inject(_ context.Context, s *scene) error {
	if f.noted != nil {
		f.held = f.noted()
	}
	s.fired(s.Targets[0], "broken")
	return f.call(Inject)
}
func (f *fake) propagated(context.Context, *scene) error { return f.call(WaitForPropagation) }
func (f *fake) recover(context.Context, *scene) error    { return f.call(Recover) }
func (f *fake) recovered(context.Context, *scene) error  { return f.call(WaitForRecovery) }

// record is a sink that keeps what it is told, in brief.
type record struct{ events []string }

func (r *record) Record(e evidence.Event) int64 {
	text := string(e.Fault.Phase)
	if e.Fault.Firing > 0 {
		text += fmt.Sprintf(" %d", e.Fault.Firing)
	}
	if e.Fault.Action != "" {
		text += " " + e.Fault.Action
	}
	r.events = append(r.events, text)
	return int64(len(r.events))
}

func newLife(b breaker, sink Sink, note Note) *Life {
	return &Life{name: "f", kind: "fake", breaker: b, sink: sink, note: note, state: New}
}

// do performs an action by its name.
func do(l *Life, a Action) error {
	return map[Action]func(context.Context) error{
		SetUp: l.SetUp, Inject: l.Inject, WaitForPropagation: l.WaitForPropagation,
		Recover: l.Recover, WaitForRecovery: l.WaitForRecovery, CleanUp: l.CleanUp,
	}[a](context.Background())
}

// TestTransitions tries every action in every state.
func TestTransitions(t *testing.T) {
	t.Parallel()
	actions := []Action{SetUp, Inject, WaitForPropagation, Recover, WaitForRecovery, CleanUp}
	// legal says where each action leads that may be done in a state.
	legal := map[State]map[Action]State{
		New:        {SetUp: Ready, CleanUp: CleanedUp},
		Ready:      {Inject: Injected, CleanUp: CleanedUp},
		Injected:   {WaitForPropagation: Propagated, Recover: Recovered},
		Propagated: {Recover: Recovered},
		Recovered:  {WaitForRecovery: Restored, CleanUp: CleanedUp},
		Restored:   {Inject: Injected, CleanUp: CleanedUp},
		CleanedUp:  {},
	}
	for state, leads := range legal {
		for _, a := range actions {
			l := newLife(&fake{}, &record{}, Note{})
			l.state = state
			err := do(l, a)
			to, ok := leads[a]
			switch {
			case ok && (err != nil || l.State() != to):
				t.Errorf("%s, %s: %s, %v; want %s", state, a, l.State(), err, to)
			case !ok && (!errors.Is(err, ErrTransition) || l.State() != state):
				t.Errorf("%s, %s: %s, %v; want it refused", state, a, l.State(), err)
			}
		}
	}
}

// TestFailures: where an action that fails leaves a fault, what is recorded, and whether it still has to recover.
func TestFailures(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, test := range []struct {
		fails  Action
		err    error
		state  State
		active bool
		last   string // the last thing recorded
	}{
		{SetUp, boom, New, false, "failed setUp"},
		{SetUp, fmt.Errorf("%w: no nodes", cluster.ErrUnsupported), New, false, "unavailable setUp"},
		{"aim", ErrNoTarget, Injected, true, "failed inject"},
		{Inject, boom, Injected, true, "failed inject"},
		{Inject, cluster.ErrUnsupported, Ready, false, "unavailable inject"},
		{WaitForPropagation, boom, Injected, true, "failed waitForPropagation"},
		{Recover, boom, Propagated, true, "failed recover"},
		{WaitForRecovery, boom, Recovered, false, "failed waitForRecovery"},
	} {
		t.Run(string(test.fails)+" "+test.err.Error(), func(t *testing.T) {
			t.Parallel()
			var events record
			l := newLife(&fake{fails: map[Action]error{test.fails: test.err}}, &events, Note{})
			var err error
			for _, a := range []Action{SetUp, Inject, WaitForPropagation, Recover, WaitForRecovery} {
				if err = do(l, a); err != nil {
					break
				}
			}
			if !errors.Is(err, test.err) || !strings.HasPrefix(err.Error(), "fault f: ") {
				t.Errorf("error %v", err)
			}
			if l.State() != test.state || l.Active() != test.active || events.events[len(events.events)-1] != test.last {
				t.Errorf("state %s, active %t, recorded %q", l.State(), l.Active(), events.events)
			}
		})
	}
}

// TestWholeLife: a fault may be injected twice, and its firings are counted over both.
func TestWholeLife(t *testing.T) {
	t.Parallel()
	var events record
	l := newLife(&fake{}, &events, Note{})
	round := []Action{Inject, WaitForPropagation, Recover, WaitForRecovery}
	for _, a := range slices.Concat([]Action{SetUp}, round, round, []Action{CleanUp}) {
		if err := do(l, a); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"injected", "fired 1", "propagated", "recovered", "recoverySeen",
		"injected", "fired 2", "propagated", "recovered", "recoverySeen", "cleanedUp",
	}
	if !slices.Equal(events.events, want) || l.Fired() != 2 {
		t.Errorf("%q", events.events)
	}
}

// TestNoTarget: what found no target recovers without a word to the cluster.
func TestNoTarget(t *testing.T) {
	t.Parallel()
	b := &fake{fails: map[Action]error{"aim": ErrNoTarget}}
	l := newLife(b, &record{}, Note{})
	l.breaker = struct {
		breaker
	}{aimless{b}}
	if err := errors.Join(do(l, SetUp)); err != nil {
		t.Fatal(err)
	}
	if err := do(l, Inject); !errors.Is(err, ErrNoTarget) {
		t.Fatal(err)
	}
	if err := errors.Join(do(l, Recover), do(l, WaitForRecovery), do(l, CleanUp)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.calls, []string{"setUp"}) {
		t.Errorf("the breaker was asked for %q", b.calls)
	}
}

// aimless finds no target.
type aimless struct{ breaker }

func (aimless) aim(context.Context, Site) (Aim, error) { return Aim{}, ErrNoTarget }

// TestNote: a fault is in the journal before it is injected, until it was seen to have recovered.
func TestNote(t *testing.T) {
	t.Parallel()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		all, err := j.List()
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	b := &fake{noted: count, fails: map[Action]error{}}
	l := newLife(b, &record{}, Note{Journal: j, Cluster: "c", fault: "f", kind: "fake", namespace: "ns"})
	if err := errors.Join(do(l, SetUp), do(l, Inject), do(l, WaitForPropagation)); err != nil {
		t.Fatal(err)
	}
	all, err := j.List()
	if err != nil || b.held != 1 || len(all) != 1 || all[0].Kind != "fault" || all[0].Data["undo.pod"] != "x" || all[0].Data["cluster"] != "c" {
		t.Fatalf("%d records while it was injected, now %+v, %v", b.held, all, err)
	}
	b.fails[WaitForRecovery] = errors.New("boom")
	if err := do(l, Recover); err != nil {
		t.Fatal(err)
	}
	if err := do(l, WaitForRecovery); err == nil || count() != 1 {
		t.Errorf("not seen to have recovered: %v, %d records", err, count())
	}
	delete(b.fails, WaitForRecovery)
	if err := do(l, WaitForRecovery); err != nil || count() != 0 {
		t.Errorf("seen to have recovered: %v, %d records", err, count())
	}
}
