package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// fakeHelm writes down what is done to it.
type fakeHelm struct {
	unsupported bool
	awaited     chan struct{} // closed once what is awaited has come

	mu   sync.Mutex
	done []string
}

func (h *fakeHelm) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, what)
}

func (h *fakeHelm) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.done, ", ")
}

func (h *fakeHelm) Release() evidence.Ref { return evidence.Ref{Kind: "Release", Name: "shop"} }

func (h *fakeHelm) Signals() error {
	if h.unsupported {
		return cluster.ErrUnsupported
	}
	return nil
}

func (h *fakeHelm) Signal(_ context.Context, s syscall.Signal) error {
	h.note(s.String())
	return nil
}

func (h *fakeHelm) Cancel(cause error) error {
	h.note(cause.Error())
	return nil
}

func (h *fakeHelm) Second(_ context.Context, operation v1alpha1.Choice) error {
	h.note("second " + operation.Kind)
	return errors.New("refused")
}

func (h *fakeHelm) Await(ctx context.Context, _ v1alpha1.Await) error {
	select {
	case <-h.awaited:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fakePath is a gateway without a network.
type fakePath struct{ interceptors []wire.Interceptor }

func (p *fakePath) Intercept(i wire.Interceptor) func() {
	p.interceptors = append(p.interceptors, i)
	return func() {
		p.interceptors = slices.DeleteFunc(p.interceptors, func(wire.Interceptor) bool { return true })
	}
}

// patch sends a write through the path and tells whether it reached the API server.
func (p *fakePath) patch(ctx context.Context, resource string) (arrived bool) {
	arrived = true
	for _, i := range slices.Clone(p.interceptors) {
		action := i.Intercept(evidence.Request{Verb: "patch", Resource: resource, Name: "x"})
		if action == nil {
			continue
		}
		if action.Before != nil {
			action.Before(ctx)
		}
		arrived = arrived && action.Answer == nil
		if arrived && action.After != nil {
			action.After(ctx)
		}
	}
	return arrived
}

// TestClientFaults leads each kind through an injection in which Helm does three writes.
func TestClientFaults(t *testing.T) {
	t.Parallel()
	second := v1alpha1.HelmTrigger{Before: &v1alpha1.Match{Resource: "deployments", Nth: 2}}
	after := v1alpha1.HelmTrigger{After: &v1alpha1.Match{Resource: "deployments"}}
	now := &metav1.Duration{Duration: time.Nanosecond}
	for name, test := range map[string]struct {
		kind    string
		spec    any
		arrived string // of three writes to deployments
		done    string // to Helm
		fired   []string
	}{
		"kill before": {
			"signalHelm", &v1alpha1.SignalHelm{Signal: "KILL", HelmTrigger: second}, "true false true", "killed",
			[]string{"SIGKILL before patch deployments/x"},
		},
		"end after": {
			"signalHelm", &v1alpha1.SignalHelm{Signal: "TERM", HelmTrigger: after}, "true true true", "terminated",
			[]string{"SIGTERM after patch deployments/x"},
		},
		"stop before": {
			"signalHelm", &v1alpha1.SignalHelm{Signal: "STOP", For: now, HelmTrigger: second}, "true true true", "stopped (signal), continued",
			[]string{"SIGSTOP before patch deployments/x"},
		},
		"when a state is there": {
			"signalHelm", &v1alpha1.SignalHelm{Signal: "KILL", HelmTrigger: v1alpha1.HelmTrigger{When: &v1alpha1.Await{Object: "Deployment/x"}}},
			"true true true", "killed",
			[]string{"SIGKILL when Deployment/x was as awaited"},
		},
		"when injected": {"signalHelm", &v1alpha1.SignalHelm{Signal: "KILL"}, "true true true", "killed", []string{"SIGKILL when it was injected"}},
		"cancel": {
			"cancelHelm", &v1alpha1.CancelHelm{HelmTrigger: after}, "true true true", "the operation was cancelled by a fault: f",
			[]string{"cancelled after patch deployments/x"},
		},
		"time out": {
			"cancelHelm", &v1alpha1.CancelHelm{HelmTrigger: after, As: "timedOut"}, "true true true",
			"the operation ran out of time by a fault: context deadline exceeded: f",
			[]string{"timed out after patch deployments/x"},
		},
		"rival": {
			"rivalHelm", &v1alpha1.RivalHelm{HelmTrigger: second, Rollback: &v1alpha1.Rollback{}, Deadline: &metav1.Duration{Duration: time.Minute}},
			"true true true", "second rollback",
			[]string{"a second Helm began its rollback before patch deployments/x", "the second Helm's rollback failed: refused"},
		},
		"nothing fits": {
			"cancelHelm", &v1alpha1.CancelHelm{HelmTrigger: v1alpha1.HelmTrigger{Before: &v1alpha1.Match{Nth: 4}}}, "true true true", "", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			helm, path, sink := &fakeHelm{awaited: make(chan struct{})}, &fakePath{}, &firings{}
			close(helm.awaited)
			if cancel, ok := test.spec.(*v1alpha1.CancelHelm); ok {
				helm.unsupported = cancel.As == asTimedOut // it is no process
			}
			life, err := NewLife(v1alpha1.Fault{Name: "f", Do: v1alpha1.Choice{Kind: test.kind, Spec: test.spec}}, Site{Helm: helm, Path: path}, sink, Note{})
			if err != nil {
				t.Fatal(err)
			}
			var arrived string
			for range 2 { // it can be injected again
				arrived = rehearseClient(t, life, path)
			}
			if arrived != test.arrived {
				t.Errorf("writes arrived: %s, want %s", arrived, test.arrived)
			}
			if want := strings.Trim(test.done+", "+test.done, ", "); helm.all() != want {
				t.Errorf("done to Helm: %s, want %s", helm.all(), want)
			}
			if want := slices.Concat(test.fired, test.fired); !slices.Equal(sink.details, want) {
				t.Errorf("fired: %q, want %q", sink.details, want)
			}
			if path.patch(t.Context(), "deployments"); strings.Count(helm.all(), ",") > 3 {
				t.Errorf("it acts although it has recovered: %s", helm.all())
			}
		})
	}
}

// rehearseClient leads a fault from injection to recovery.
func rehearseClient(t *testing.T, life *Life, path *fakePath) (arrived string) {
	t.Helper()
	ctx := t.Context()
	if life.State() == New {
		if err := life.SetUp(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := life.Inject(ctx); err != nil {
		t.Fatal(err)
	}
	holding, release := context.WithCancel(ctx)
	var hold sync.WaitGroup
	hold.Go(func() { life.Hold(holding) })
	if err := life.WaitForPropagation(ctx); err != nil {
		t.Fatal(err)
	}
	var all []string
	for range 3 {
		all = append(all, fmt.Sprint(path.patch(ctx, "deployments")))
	}
	if c := life.breaker.(*client); c.trigger.When != nil {
		<-c.round.over
	}
	release()
	hold.Wait()
	if err := errors.Join(life.Recover(ctx), life.WaitForRecovery(ctx)); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// firings keeps what is said of firings.
type firings struct {
	mu      sync.Mutex
	details []string
}

func (f *firings) Record(e evidence.Event) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Fault.Phase == evidence.FaultFired {
		f.details = append(f.details, e.Fault.Detail)
	}
	return 0
}

// TestStoppedUntilRecovery: a stop without an end goes on until the fault recovers, and the write waits for that.
func TestStoppedUntilRecovery(t *testing.T) {
	t.Parallel()
	helm, path := &fakeHelm{}, &fakePath{}
	spec := &v1alpha1.SignalHelm{Signal: "STOP", HelmTrigger: v1alpha1.HelmTrigger{Before: &v1alpha1.Match{}}}
	c := newClient(spec.HelmTrigger, signalDeed(spec))
	s := &scene{Site: Site{Helm: helm, Path: path}, Aim: Aim{Targets: []evidence.Ref{{}}}, fired: func(evidence.Ref, string) {}, firedAt: func(evidence.Request, evidence.Ref, string) {}}
	if err := c.inject(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	holding, release := context.WithCancel(t.Context())
	var going sync.WaitGroup
	going.Go(func() { _ = c.hold(holding, s) })
	arrived := make(chan struct{})
	going.Go(func() {
		path.patch(t.Context(), "deployments")
		close(arrived)
	})
	select {
	case <-arrived:
		t.Error("the write went on while Helm was stopped")
	case <-time.After(50 * time.Millisecond): // nothing tells that nothing happens
	}
	release()
	going.Wait()
	if helm.all() != "stopped (signal), continued" {
		t.Errorf("done to Helm: %s", helm.all())
	}
}

// TestClientUnavailable says where the faults cannot be had.
func TestClientUnavailable(t *testing.T) {
	t.Parallel()
	trigger := v1alpha1.HelmTrigger{Before: &v1alpha1.Match{}}
	signal := newClient(trigger, signalDeed(&v1alpha1.SignalHelm{Signal: "KILL"}))
	for name, site := range map[string]Site{
		"no Helm":    {Path: &fakePath{}},
		"no gateway": {Helm: &fakeHelm{}},
		"no process": {Helm: &fakeHelm{unsupported: true}, Path: &fakePath{}},
	} {
		if err := signal.available(t.Context(), site); !errors.Is(err, cluster.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ownContext(&fakeHelm{}); !errors.Is(err, cluster.ErrUnsupported) {
		t.Errorf("a process whose context is to time out: %v", err)
	}
	if err := signal.recover(t.Context(), &scene{}); err != nil {
		t.Errorf("in rehearse gc: %v", err)
	}
}
