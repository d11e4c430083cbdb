package fault

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/wire"
)

// userAgent names the harness as the writer, also in managedFields.
const userAgent = "rehearse"

// Code is what a kind of fault does.
type Code struct {
	// Wide is set if it reaches beyond the scenario's namespace, so that scenarios with it share no cluster.
	Wide bool
	// Identity is set if it is about the identity that Helm acts under, so that Helm has to act under one of its own.
	Identity bool
	prepare  func(spec any) (breaker, error)
	// controller names the controller that a fault of this spec stands on, as kube-controller-manager --controllers has
	// it; empty if there is none. Nil: never.
	controller func(spec any) string
}

// NotOn says, before there is a cluster, that a fault cannot be had on those that lack what it stands on; nil if nothing
// speaks against it so far. lacks is the provider's.
func NotOn(f v1alpha1.Fault, lacks func(controller string) error) error {
	entry, err := Registry().Lookup(f.Do.Kind)
	if err != nil || entry.Code.controller == nil || lacks == nil {
		return err
	}
	name := entry.Code.controller(f.Do.Spec)
	if name == "" {
		return nil
	}
	if err := lacks(name); err != nil {
		return fmt.Errorf("fault %s (%s): %w", f.Name, entry.Name, err)
	}
	return nil
}

// Registry is the one list of what can break.
func Registry() registry.Registry[Code] {
	return registry.New("fault",
		pauseNodeEntry(),
		killNodeEntry(),
		cordonNodeEntry(),
		drainNodeEntry(),
		taintNodeEntry(),
		deletePodEntry(),
		evictPodEntry(),
		crashContainerEntry(),
		unpullableImageEntry(),
		apiEntry(),
		signalHelmEntry(),
		cancelHelmEntry(),
		rivalHelmEntry(),
		webhookEntry(),
		denyAdmissionEntry(),
		quotaEntry(),
		blockEvictionsEntry(),
		pendingVolumeEntry(),
		revokeAccessEntry(),
		stickFinalizerEntry(),
		terminateNamespaceEntry(),
		releaseSecretEntry(),
		leftoverHookEntry(),
		pauseAPIServerEntry(),
		killAPIServerEntry(),
		slowEtcdEntry(),
	)
}

// Site is where faults happen.
type Site struct {
	Cluster   cluster.Cluster
	Client    kubernetes.Interface
	Dynamic   dynamic.Interface
	Namespace string
	// Release is the name of the scenario's release. It is empty for undoing.
	Release string
	// Path is where Helm's requests pass; nil if they pass nowhere.
	Path wire.Path
	// Helm is Helm at work; nil where it is not run, as in rehearse gc.
	Helm Helm
	// Seed is the scenario's.
	Seed int64

	// fault is the name of the fault that acts there.
	fault    string
	refusals *refusals
}

// NewSite is the site of a scenario whose home is namespace.
func NewSite(c cluster.Cluster, namespace string) (Site, error) {
	cfg := rest.CopyConfig(c.RESTConfig())
	cfg.UserAgent = userAgent
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return Site{}, fmt.Errorf("making a client of the cluster at %s: %w", cfg.Host, err)
	}
	anything, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return Site{}, fmt.Errorf("making a client of the cluster at %s: %w", cfg.Host, err)
	}
	return Site{
		Cluster: c, Client: client, Dynamic: anything, Namespace: namespace,
		refusals: &refusals{listeners: map[string]func(evidence.Ref){}},
	}, nil
}

// breakable is the site's cluster, if its nodes and containers can be broken.
func (s Site) breakable() (cluster.Breakable, error) {
	b, ok := s.Cluster.(cluster.Breakable)
	if !ok {
		return nil, fmt.Errorf("%w: nodes and containers of cluster %s cannot be broken from outside", cluster.ErrUnsupported, s.Cluster.Name())
	}
	return b, nil
}

// Aim is what a fault is about to break.
type Aim struct {
	Targets []evidence.Ref
	// Undo is all that recovering needs to know, also in another process after this one was killed. It is never nil.
	Undo map[string]string
}

// scene is what a fault sees while it acts.
type scene struct {
	Site
	Aim
	// name is the fault's.
	name string
	// fired tells that the fault took effect on a target.
	fired func(target evidence.Ref, detail string)
	// firedAt tells that it did so at a request of Helm's.
	firedAt func(r evidence.Request, target evidence.Ref, detail string)
}

// at is the scene as of a request of Helm's: what fires there fires at that.
func (s *scene) at(r evidence.Request) *scene {
	here := *s
	here.fired = func(target evidence.Ref, detail string) { s.firedAt(r, target, detail) }
	return &here
}

// breaker is one fault. Its targets are chosen when it is injected.
type breaker interface {
	// available returns an error that wraps cluster.ErrUnsupported if the fault cannot be had there.
	available(ctx context.Context, s Site) error
	// aim finds the targets and changes nothing. Its error is ErrNoTarget if there is none.
	aim(ctx context.Context, s Site) (Aim, error)
	inject(ctx context.Context, s *scene) error
	// propagated waits until the fault is seen to have taken effect.
	propagated(ctx context.Context, s *scene) error
	// recover ends the fault, going by the scene's Undo alone. It is content if that has happened already.
	recover(ctx context.Context, s *scene) error
	// recovered waits until the fault is seen to have ended, going by the scene's Undo and Targets.
	recovered(ctx context.Context, s *scene) error
}

// holder is a breaker that acts as long as its fault is active.
type holder interface {
	// hold acts until ctx ends.
	hold(ctx context.Context, s *scene) error
}

// lurker is a breaker that lies in wait for something which may never come. It has done all that it can do by itself once
// it is injected: whether it takes effect is judged at the end of its step.
type lurker interface{ lurks() }

// counter is a breaker some of whose firings are known only to who asks for them.
type counter interface {
	// count records the firings since it was last asked. outcome is the error of the operation that has just ended.
	count(ctx context.Context, s *scene, outcome error) error
}

// passer is a breaker that is to end by itself.
type passer interface {
	// pass returns nil once the fault has lasted as long as it is to.
	pass(ctx context.Context, s *scene) error
}

// NewLife makes a fault of a scenario. note is where it is written down before it is injected; the zero Note does not.
func NewLife(spec v1alpha1.Fault, site Site, sink Sink, note Note) (*Life, error) {
	entry, err := Registry().Lookup(spec.Do.Kind)
	if err != nil {
		return nil, fmt.Errorf("fault %s: %w", spec.Name, err)
	}
	b, err := entry.Code.prepare(spec.Do.Spec)
	if err != nil {
		return nil, fmt.Errorf("fault %s: %w", spec.Name, err)
	}
	site.fault = spec.Name
	note.fault, note.kind, note.namespace = spec.Name, entry.Name, site.Namespace
	return &Life{name: spec.Name, kind: entry.Name, site: site, breaker: b, sink: sink, note: note, state: New}, nil
}

// code adapts a function of a concrete spec type to an entry's code.
func code[S any](prepare func(spec *S) breaker) Code {
	return Code{prepare: func(spec any) (breaker, error) {
		typed, ok := spec.(*S)
		if !ok {
			return nil, fmt.Errorf("its spec is a %T, not a %T", spec, typed)
		}
		return prepare(typed), nil
	}}
}

// wide is code of a kind that reaches beyond the scenario's namespace.
func wide[S any](prepare func(spec *S) breaker) Code {
	c := code(prepare)
	c.Wide = true
	return c
}

// validated adapts a validation of a concrete spec type to an entry's.
func validated[S any](check func(spec *S) []registry.Problem) func(any) []registry.Problem {
	return func(spec any) []registry.Problem {
		if typed, ok := spec.(*S); ok {
			return check(typed)
		}
		return nil
	}
}
