package fault

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

const (
	// undoComponent is the key under which the undoing of a fault of the control plane finds what was broken.
	undoComponent = "component"
	apiServer     = "kube-apiserver"

	// patience is how long the API server may take to answer before it counts as unavailable.
	patience = 250 * time.Millisecond
	// planePoll is how often it is asked: while it is away nothing can be watched.
	planePoll = 50 * time.Millisecond
)

func pauseAPIServerEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "pauseAPIServer",
		Summary: "Freezes the API server for a while: connections stay, and nothing is answered.",
		Example: "name: api-frozen\nafter: 1s\npauseAPIServer: {for: 5s}\n",
		NewSpec: func() any { return &v1alpha1.PauseAPIServer{} },
		Code: wide(func(s *v1alpha1.PauseAPIServer) breaker {
			o := &outage{stop: cluster.Interruptible.PauseAPIServer, start: cluster.Interruptible.ResumeAPIServer}
			if s.For != nil { // gc knows no spec
				o.lasting = s.For.Duration
			}
			return o
		}),
	}
}

func killAPIServerEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "killAPIServer",
		Summary: "Ends the API server at once and starts it again after a while, at the same address.",
		Example: "name: api-gone\nafter: 1s\nkillAPIServer: {for: 2s}\n",
		NewSpec: func() any { return &v1alpha1.KillAPIServer{} },
		Code: wide(func(s *v1alpha1.KillAPIServer) breaker {
			o := &outage{stop: cluster.Interruptible.KillAPIServer, start: cluster.Interruptible.StartAPIServer}
			if s.For != nil {
				o.lasting = s.For.Duration
			}
			return o
		}),
	}
}

// interruptible is the site's cluster, if its control plane can be broken.
func (s Site) interruptible() (cluster.Interruptible, error) {
	c, ok := s.Cluster.(cluster.Interruptible)
	if !ok {
		return nil, fmt.Errorf("%w: the control plane of cluster %s cannot be broken from outside", cluster.ErrUnsupported, s.Cluster.Name())
	}
	return c, nil
}

// aimAtComponent aims at a component of the control plane.
func aimAtComponent(name string) Aim {
	return Aim{
		Targets: []evidence.Ref{{Kind: "ControlPlane", Name: name}},
		Undo:    map[string]string{undoComponent: name},
	}
}

// outage is an API server that is away for a while. It ends by itself, since nobody could take evidence as long as it
// lasts.
type outage struct {
	lasting     time.Duration
	stop, start func(cluster.Interruptible, context.Context) error
	// seen is closed once the API server was seen to be away.
	seen chan struct{}
}

func (o *outage) available(_ context.Context, s Site) error {
	_, err := s.interruptible()
	return err
}

func (o *outage) aim(context.Context, Site) (Aim, error) { return aimAtComponent(apiServer), nil }

func (o *outage) inject(ctx context.Context, s *scene) error {
	c, err := s.interruptible()
	if err != nil {
		return err
	}
	o.seen = make(chan struct{})
	return o.stop(c, ctx)
}

func (o *outage) propagated(ctx context.Context, s *scene) error {
	for {
		why := s.unready(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("the API server still answers: %w", context.Cause(ctx))
		}
		if why != nil {
			close(o.seen)
			s.fired(s.Targets[0], "unavailable: "+why.Error())
			return nil
		}
		_ = pause(ctx, planePoll)
	}
}

// pass waits until it has lasted as long as it is to.
func (o *outage) pass(ctx context.Context, _ *scene) error {
	select {
	case <-o.seen:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return pause(ctx, o.lasting)
}

func (o *outage) recover(ctx context.Context, s *scene) error {
	c, err := s.interruptible()
	if err != nil {
		return err
	}
	return o.start(c, ctx)
}

func (o *outage) recovered(ctx context.Context, s *scene) error {
	for {
		why := s.unready(ctx)
		if why == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the API server is not ready again: %w: %w", why, context.Cause(ctx))
		}
		_ = pause(ctx, planePoll)
	}
}

// unready says why the API server is not ready; nil if it is. It calls itself ready before it has read its roles, and
// refuses with 403 until then whoever is not in system:masters: what needs a right is asked for too.
func (s Site) unready(ctx context.Context) error {
	for _, path := range []string{"/readyz", "/api/v1/namespaces/" + metav1.NamespaceSystem} {
		if err := s.get(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// get asks the API server once, and does not wait long.
func (s Site) get(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	err := s.Client.Discovery().RESTClient().Get().AbsPath(path).MaxRetries(0).Do(ctx).Error()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// pause waits for a time. Its error is why ctx ended before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
