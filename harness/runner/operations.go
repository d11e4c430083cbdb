package runner

import (
	"context"
	"fmt"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

// Operation is the code of one operation: what a step does. The error it returns is the operation's outcome, which
// the step's expect is held against; a failure of the harness itself is wrapped in ErrHarness.
type Operation struct {
	run func(ctx context.Context, s *stage, spec any) error
}

// operation adapts a function of a concrete spec type to an entry's code.
func operation[S any](run func(ctx context.Context, s *stage, spec *S) error) Operation {
	return Operation{run: func(ctx context.Context, s *stage, spec any) error {
		typed, ok := spec.(*S)
		if !ok {
			return fmt.Errorf("%w: operation got a spec of type %T", ErrHarness, spec)
		}
		return run(ctx, s, typed)
	}}
}

// Operations is the one list of what a step can do.
func Operations() registry.Registry[Operation] {
	return registry.New("operation",
		registry.Entry[Operation]{
			Name:    "install",
			Summary: "Installs the release's chart.",
			Example: "name: v1\ninstall:\n  values: {tag: v1}\n",
			NewSpec: func() any { return &v1alpha1.Install{} },
			Code: operation(func(ctx context.Context, s *stage, spec *v1alpha1.Install) error {
				return s.helm.Install(ctx, *spec)
			}),
		},
		registry.Entry[Operation]{
			Name:    "upgrade",
			Summary: "Upgrades the release.",
			Example: "name: v2\nupgrade:\n  values: {tag: v2}\n  wait: watcher\n  timeout: 20s\nexpect:\n  error: {contains: deadline}\n  status: failed\n",
			NewSpec: func() any { return &v1alpha1.Upgrade{} },
			Code: operation(func(ctx context.Context, s *stage, spec *v1alpha1.Upgrade) error {
				return s.helm.Upgrade(ctx, *spec)
			}),
			Validate: validateUpgrade,
		},
		registry.Entry[Operation]{
			Name:    "rollback",
			Summary: "Rolls the release back to an earlier revision.",
			Example: "name: back\nrollback: {to: 1}\n",
			NewSpec: func() any { return &v1alpha1.Rollback{} },
			Code: operation(func(ctx context.Context, s *stage, spec *v1alpha1.Rollback) error {
				return s.helm.Rollback(ctx, *spec)
			}),
		},
		registry.Entry[Operation]{
			Name:    "uninstall",
			Summary: "Uninstalls the release.",
			Example: "name: gone\nuninstall: {keepHistory: true}\n",
			NewSpec: func() any { return &v1alpha1.Uninstall{} },
			Code: operation(func(ctx context.Context, s *stage, spec *v1alpha1.Uninstall) error {
				return s.helm.Uninstall(ctx, *spec)
			}),
		},
		registry.Entry[Operation]{
			Name:    "test",
			Summary: "Runs the release's test hooks, as helm test does.",
			Example: "name: tested\ntest: {timeout: 30s}\n",
			NewSpec: func() any { return &v1alpha1.Test{} },
			Code: operation(func(ctx context.Context, s *stage, spec *v1alpha1.Test) error {
				return s.helm.Test(ctx, *spec)
			}),
		},
		registry.Entry[Operation]{
			Name:    "act",
			Summary: "Sets an actor off, or stops one that repeats.",
			Example: "name: scaled\nact: hpa\n",
			NewSpec: func() any { return &v1alpha1.Act{} },
			Code:    operation(act),
		},
		registry.Entry[Operation]{
			Name:    "inject",
			Summary: "Injects a fault that spans steps, and waits until it is seen to have taken effect.",
			Example: "name: break\ninject: node-gone\n",
			NewSpec: func() any { return &v1alpha1.Inject{} },
			Code:    operation(inject),
		},
		registry.Entry[Operation]{
			Name:    "recover",
			Summary: "Recovers a fault that was injected by a step of its own, and waits until it is seen to have recovered.",
			Example: "name: mend\nrecover: node-gone\n",
			NewSpec: func() any { return &v1alpha1.Recover{} },
			Code:    operation(recoverFault),
		},
		registry.Entry[Operation]{
			Name:     "await",
			Summary:  "Waits until an object is in a stated state.",
			Example:  "name: settled\nawait: {object: Deployment/backend, status: Current}\n",
			NewSpec:  func() any { return &v1alpha1.Await{} },
			Validate: validateAwait,
			Code:     operation(await),
		},
	)
}

func act(ctx context.Context, s *stage, spec *v1alpha1.Act) error {
	if spec.Stop {
		return s.troupe.Stop(spec.Actor)
	}
	return s.troupe.Act(ctx, spec.Actor)
}

func validateUpgrade(spec any) []registry.Problem {
	if u, ok := spec.(*v1alpha1.Upgrade); ok && isTrue(u.ReuseValues) && isTrue(u.ResetValues) {
		return []registry.Problem{{Path: "resetValues", Message: "contradicts reuseValues; keep one of them"}}
	}
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }
