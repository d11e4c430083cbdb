package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/readiness"
	"rehearse.dev/rehearse/harness/release"
)

// stage is one variant set up on an arena: its namespace, its Helm, its actors and those who watch.
type stage struct {
	plan      plan.Plan
	arena     *arena
	rec       *evidence.Recorder
	scope     observe.Scope
	client    kubernetes.Interface
	helm      *release.SDK
	observer  *release.Observer
	troupe    *actor.Troupe
	readiness *readiness.Controller
	watching  *observe.Subscription
	noted     *journal.Entry // the journal's entry of the namespace, on a cluster that outlives the run
}

// setUp makes the namespace and everything that must be there before the first step. On error it has taken down
// again what it had set up.
func (r *run) setUp(ctx context.Context, j job, a *arena, rec *evidence.Recorder) (*stage, error) {
	s := &stage{plan: j.plan, arena: a, rec: rec, scope: observe.Scope{Namespace: j.namespace, Release: j.plan.Scenario.Spec.Release.Name}}
	if a.kept {
		entry, err := noteNamespace(r.cfg.Journal, a.cluster, s.scope)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHarness, err)
		}
		s.noted = entry
	}
	for _, step := range []func(context.Context) error{s.makeNamespace, s.watch, s.openHelm, s.startReadiness, s.hireActors} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrHarness, err), s.takeDown(context.WithoutCancel(ctx), false))
		}
	}
	return s, nil
}

func (s *stage) makeNamespace(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(s.arena.cluster.RESTConfig())
	if err != nil {
		return fmt.Errorf("making a client for cluster %s: %w", s.arena.cluster.Name(), err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        s.scope.Namespace,
		Labels:      map[string]string{readiness.NamespaceLabel: s.plan.Scenario.Metadata.Name},
		Annotations: readiness.NamespaceAnnotations(s.plan.Scenario.Spec.Readiness, s.plan.Steps[0].Name),
	}}
	s.client = client
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("making namespace %s: %w", s.scope.Namespace, err)
	}
	return nil
}

func (s *stage) watch(ctx context.Context) error {
	var err error
	s.watching, err = s.arena.hub.Subscribe(ctx, s.scope, s.rec)
	return err
}

func (s *stage) openHelm(context.Context) error {
	spec := s.plan.Scenario.Spec.Release
	target := release.Target{
		RESTConfig:   s.arena.cluster.RESTConfig(),
		CacheDir:     s.arena.cluster.CacheDir(),
		Namespace:    s.scope.Namespace,
		Name:         spec.Name,
		FieldManager: spec.FieldManager,
		BaseDir:      s.plan.Dir,
		Release:      spec,
		Log:          slog.New(slog.DiscardHandler),
	}
	var err error
	if s.helm, err = release.Open(target); err != nil {
		return err
	}
	s.observer, err = release.NewObserver(target.RESTConfig, target.Namespace, target.Name)
	return err
}

func (s *stage) startReadiness(ctx context.Context) error {
	rules := readiness.Rules{Namespace: s.scope.Namespace, Rules: s.plan.Scenario.Spec.Readiness, Seed: s.plan.Seed}
	var err error
	s.readiness, err = readiness.Start(ctx, s.arena.cluster.RESTConfig(), rules, s.rec)
	return err
}

func (s *stage) hireActors(ctx context.Context) error {
	var err error
	s.troupe, err = actor.NewTroupe(ctx, s.arena.cluster.RESTConfig(), s.scope.Namespace, s.plan.Scenario.Spec.Actors, s.rec)
	return err
}

// takeDown stops all that setUp started and removes what the scenario made, unless it is to be kept or the cluster goes
// anyway.
func (s *stage) takeDown(ctx context.Context, keep bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.plan.Scenario.Spec.Timeouts.Cleanup.Duration)
	defer cancel()
	err := s.stop(keep)
	switch {
	case s.client == nil || s.arena.own || keep:
		return err
	case !s.arena.kept:
		return errors.Join(err, deleteNamespace(ctx, s.client, s.scope.Namespace))
	}
	if swept := sweep(ctx, s.arena.cluster.RESTConfig(), s.scope); swept != nil {
		return errors.Join(err, swept)
	}
	return errors.Join(err, s.noted.Done())
}

// stop ends what runs beside Helm. The readiness controller goes on if the pods are to be kept.
func (s *stage) stop(keep bool) error {
	var err error
	if s.troupe != nil {
		s.troupe.Close()
	}
	if s.readiness != nil && !keep {
		err = s.readiness.Close()
	}
	if s.watching != nil {
		s.watching.Close()
	}
	return err
}
