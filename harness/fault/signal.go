package fault

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/registry"
)

// signalBound is how long a killed process may take to be gone.
const signalBound = 10 * time.Second

func signalHelmEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "signalHelm",
		Summary: "Kills, ends or stops the helm process (driver cli) before or after a request, or once an object is in a state.",
		Example: "name: killed\nsignalHelm:\n  signal: KILL\n  before: {resource: deployments, nth: 2}\n",
		NewSpec: func() any { return &v1alpha1.SignalHelm{} },
		Validate: validated(func(s *v1alpha1.SignalHelm) []registry.Problem {
			problems := checkTrigger(s.HelmTrigger)
			if s.For != nil && s.Signal != "STOP" {
				problems = append(problems, registry.Problem{Path: "for", Message: "is for signal STOP alone; leave it out"})
			}
			return problems
		}),
		Code: code(func(s *v1alpha1.SignalHelm) breaker { return newClient(s.HelmTrigger, signalDeed(s)) }),
	}
}

func signalDeed(spec *v1alpha1.SignalHelm) deed {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "STOP": syscall.SIGSTOP}
	d := deed{
		needs: Helm.Signals,
		drops: spec.Signal == "KILL",
		holds: spec.Signal == "STOP",
		do: func(ctx context.Context, s *scene, why string) error {
			ctx, cancel := context.WithTimeout(ctx, signalBound)
			defer cancel()
			if err := s.Helm.Signal(ctx, signals[spec.Signal]); err != nil {
				return err
			}
			s.fired(s.Targets[0], fmt.Sprintf("SIG%s %s", spec.Signal, why))
			return nil
		},
	}
	if spec.Signal == "STOP" {
		d.lasting = func(ctx context.Context, s *scene, released <-chan struct{}) error {
			var timeout <-chan time.Time
			if spec.For != nil {
				timer := time.NewTimer(spec.For.Duration)
				defer timer.Stop()
				timeout = timer.C
			}
			select {
			case <-timeout:
			case <-released:
			}
			// Its end meanwhile is none of ours: the step says what became of it.
			_ = s.Helm.Signal(ctx, syscall.SIGCONT)
			return nil
		}
	}
	return d
}

func cancelHelmEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "cancelHelm",
		Summary:  "Ends the context of Helm's operation, as a pipeline that runs out of time does; driver cli asks helm to end (SIGTERM).",
		Example:  "name: cancelled\ncancelHelm:\n  after: {verb: write, nth: 3}\n",
		NewSpec:  func() any { return &v1alpha1.CancelHelm{} },
		Validate: validated(func(s *v1alpha1.CancelHelm) []registry.Problem { return checkTrigger(s.HelmTrigger) }),
		Code: code(func(s *v1alpha1.CancelHelm) breaker {
			d := deed{do: ending(errCancelled, "cancelled")}
			if s.As == asTimedOut {
				d = deed{do: ending(errTimedOut, "timed out"), needs: ownContext}
			}
			return newClient(s.HelmTrigger, d)
		}),
	}
}

// asTimedOut ends a context as one whose deadline has passed.
const asTimedOut = "timedOut"

// ownContext is an error if Helm's context is another process's.
func ownContext(h Helm) error {
	if h.Signals() == nil {
		return fmt.Errorf("%w: with driver cli Helm's context is that of a process of its own; it needs driver sdk", cluster.ErrUnsupported)
	}
	return nil
}

// ending ends the context of Helm's operation for a cause.
func ending(cause error, did string) func(context.Context, *scene, string) error {
	return func(_ context.Context, s *scene, why string) error {
		if err := s.Helm.Cancel(fmt.Errorf("%w: %s", cause, s.name)); err != nil {
			return err
		}
		s.fired(s.Targets[0], did+" "+why)
		return nil
	}
}
