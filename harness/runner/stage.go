package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/gateway"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/readiness"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/release"
)

// stage is one variant set up on an arena: its namespace, its Helm, its actors and those who watch.
type stage struct {
	plan      plan.Plan
	tell      progress.Scope
	arena     *arena
	rec       *evidence.Recorder
	redactor  *evidence.Redactor
	scope     observe.Scope
	client    kubernetes.Interface
	commands  helmCommands
	helm      release.Driver
	observer  *release.Observer
	gateway   *gateway.Gateway // what Helm passes; nil if it goes straight to the API server
	access    *rest.Config     // how Helm reaches the cluster, and as whom
	atWork    *helmAtWork
	troupe    *actor.Troupe
	readiness *readiness.Controller
	faults    *faults
	restarts  restarts
	watching  *observe.Subscription
	journal   *journal.Journal
	traces    traces                  // what is noted in
	noted     *journal.Entry          // the journal's entry of the namespace, on a cluster that outlives the run
	home      *journal.Entry          // that of the home of helm commands, there
	end       context.CancelCauseFunc // ends what setUp started
}

// setUp makes the namespace and everything that must be there before the first step. On error it has taken down
// again what it had set up.
func (r *run) setUp(ctx context.Context, j job, a *arena, rec *evidence.Recorder) (*stage, error) {
	s := &stage{
		plan: j.plan, tell: j.tell, arena: a, rec: rec, redactor: r.redactor, commands: j.commands, journal: r.cfg.Journal,
		scope: observe.Scope{Namespace: j.namespace, Release: j.plan.Scenario.Spec.Release.Name, Also: parsed(also(j.plan))},
	}
	ctx, s.end = context.WithCancelCause(ctx)
	watchdog := time.AfterFunc(setUpBound, func() { s.end(errSetUp) })
	defer watchdog.Stop()
	if a.kept {
		if err := s.noteTraces(ctx); err != nil {
			s.end(nil)
			return nil, fmt.Errorf("%w: %w", ErrHarness, err)
		}
	}
	openGateway := func(context.Context) error { return r.openGateway(s) }
	raiseFaults := func(context.Context) error { return r.raiseFaults(s) }
	for _, step := range []func(context.Context) error{
		s.makeNamespace, s.watch, openGateway, s.openHelm, s.startReadiness, s.hireActors, raiseFaults, s.watchRestarts,
	} {
		if err := step(ctx); err != nil {
			err = errors.Join(fmt.Errorf("%w: %w", ErrHarness, err), s.stop())
			r.remove(context.WithoutCancel(ctx), s)
			return nil, err
		}
	}
	return s, nil
}

// also names the objects that are watched wherever they are: what the charts render into other namespaces, and what the
// scenario speaks of.
func also(p plan.Plan) []string {
	return each(append(plan.Mentions(&p.Scenario.Spec), p.Elsewhere...))
}

func parsed(texts []string) []ref.Ref {
	var all []ref.Ref
	for _, text := range texts {
		if object, err := ref.Parse(text); err == nil { // of others, such as a name that needs a template, nothing can be said
			all = append(all, object)
		}
	}
	return all
}

// noteTraces writes down what the scenario is going to leave on a cluster that outlives the run.
func (s *stage) noteTraces(ctx context.Context) error {
	cfg := s.arena.cluster.RESTConfig()
	client, err := kubernetes.NewForConfig(cfg)
	if err == nil {
		s.traces, err = tracesOf(ctx, cfg, client, s.scope, s.plan)
	}
	if err == nil {
		s.noted, err = s.traces.note(s.journal, s.arena.cluster)
	}
	return err
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

// openGateway puts a gateway between Helm and the API server.
func (r *run) openGateway(s *stage) error {
	if r.cfg.Straight {
		return nil
	}
	var err error
	s.gateway, err = gateway.Open(s.arena.cluster.RESTConfig(), r.identity, s.rec)
	return err
}

// helmConfig is how Helm reaches the API server, whoever it acts as.
func (s *stage) helmConfig() *rest.Config {
	if s.gateway == nil {
		return s.arena.cluster.RESTConfig()
	}
	return s.gateway.RESTConfig()
}

// accessOfHelm is how Helm reaches the cluster: as an administrator or, where a fault takes access away, under an identity
// of its own. Nobody else acts under that, so what Helm loses no one else does.
func (s *stage) accessOfHelm(ctx context.Context) (*rest.Config, error) {
	cfg := s.helmConfig()
	if !fault.NeedsIdentity(s.plan.Scenario.Spec.Faults) {
		return cfg, nil
	}
	user, err := fault.Grant(ctx, s.client, s.scope.Namespace)
	if err != nil {
		return nil, err
	}
	cfg.Impersonate.UserName = user
	return cfg, nil
}

func (s *stage) startReadiness(ctx context.Context) error {
	rules := readiness.Rules{Namespace: s.scope.Namespace, Rules: s.plan.Scenario.Spec.Readiness, Seed: s.plan.Seed}
	if s.lacks() {
		s.rec.Record(evidence.Event{Lack: &evidence.Lack{What: "readiness rules", Reason: s.arena.unheld.Error()}})
		rules.Rules = nil
	}
	var err error
	s.readiness, err = readiness.Start(ctx, s.arena.cluster.RESTConfig(), rules, s.rec)
	return err
}

// lacks reports whether the cluster cannot have what the scenario needs, so that none of its steps is performed.
func (s *stage) lacks() bool { return s.arena.unheld != nil && len(s.plan.Scenario.Spec.Readiness) > 0 }

func (s *stage) hireActors(ctx context.Context) error {
	var err error
	s.troupe, err = actor.NewTroupe(ctx, s.arena.cluster.RESTConfig(), s.scope.Namespace, s.plan.Scenario.Spec.Actors, s.rec)
	return err
}

// stop ends what runs beside Helm. Its error tells of readiness gates that could not be set.
func (s *stage) stop() error {
	defer s.end(nil)
	s.stopActing()
	err := s.removeHome()
	if s.readiness != nil {
		err = errors.Join(err, s.readiness.Close())
	}
	return err
}

// stopActing ends what writes by itself and what is recorded. Pods go on to become ready as they should.
func (s *stage) stopActing() {
	if s.gateway != nil {
		_ = s.gateway.Close() // the listener is gone at any rate
	}
	if s.troupe != nil {
		s.troupe.Close()
	}
	if s.watching != nil {
		s.watching.Close()
	}
}

// remove begins to remove what the scenario made on a cluster that others use too. On one that outlives the run, gone
// has to be called later.
func (s *stage) remove(ctx context.Context) error {
	ctx, cancel := s.cleanupBound(ctx)
	defer cancel()
	switch {
	case s.arena.own || s.client == nil || s.arena.death() != nil:
		return nil
	case !s.arena.kept:
		// Its pods need not burden the scenarios to come. All goes with the cluster, whatever becomes of this.
		_ = deleteNamespace(ctx, s.client, s.scope.Namespace)
		return nil
	}
	return leftBehind(s.traces.strike(ctx, s.arena.cluster.RESTConfig(), s.client))
}

// gone waits until all is gone that remove began to remove. What is not stays in the journal.
func (s *stage) gone(ctx context.Context) error {
	if s.noted == nil || s.arena.death() != nil {
		return nil
	}
	ctx, cancel := s.cleanupBound(ctx)
	defer cancel()
	if err := awaitGone(ctx, s.client, s.scope.Namespace); err != nil {
		return leftBehind(err)
	}
	return s.noted.Done()
}

func (s *stage) cleanupBound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.plan.Scenario.Spec.Timeouts.Cleanup.Duration, errCleanup)
}

// leftBehind says what to do about something that could not be removed.
func leftBehind(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (rehearse gc will try again)", err)
}
