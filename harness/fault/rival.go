package fault

import (
	"context"
	"fmt"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func rivalHelmEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "rivalHelm",
		Summary: "Runs an operation by a second Helm on the same release while the first is at work; the evidence says what it came to.",
		Example: "name: rival\nrivalHelm:\n  after: {verb: write, nth: 1}\n  rollback: {to: 1}\n",
		NewSpec: func() any { return &v1alpha1.RivalHelm{} },
		Validate: validated(func(s *v1alpha1.RivalHelm) []registry.Problem {
			problems := checkTrigger(s.HelmTrigger)
			if len(s.Operations()) != 1 {
				problems = append(problems, registry.Problem{Message: "want one of upgrade, rollback and uninstall"})
			}
			return problems
		}),
		Code: code(func(s *v1alpha1.RivalHelm) breaker { return newClient(s.HelmTrigger, rivalDeed(s)) }),
	}
}

func rivalDeed(spec *v1alpha1.RivalHelm) deed {
	return deed{
		holds: !spec.Beside,
		do: func(_ context.Context, s *scene, why string) error {
			s.fired(s.Targets[0], fmt.Sprintf("a second Helm began its %s %s", spec.Operations()[0].Kind, why))
			return nil
		},
		// The second Helm is not ended with the first one, but by its own deadline.
		lasting: func(ctx context.Context, s *scene, _ <-chan struct{}) error {
			ctx, cancel := context.WithTimeoutCause(ctx, spec.Deadline.Duration, fmt.Errorf("the deadline of %s of the second Helm has passed", spec.Deadline.Duration))
			defer cancel()
			operation := spec.Operations()[0]
			outcome := "succeeded"
			if err := s.Helm.Second(ctx, operation); err != nil {
				outcome = "failed: " + err.Error()
			}
			s.fired(s.Targets[0], fmt.Sprintf("the second Helm's %s %s", operation.Kind, outcome))
			return nil
		},
	}
}
