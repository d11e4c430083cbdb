package bench_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports"
)

// site is a cluster that benchmarks measure on.
type site struct {
	*testing.B
	cluster *embedded.Cluster
	client  kubernetes.Interface
	journal *journal.Journal
	number  int // of namespaces and runs so far
}

// newSite boots a cluster that is gone at the end of the benchmark. The process collects its garbage as the program does.
func newSite(b *testing.B) *site {
	b.Helper()
	runner.SpendMemory()
	s := &site{B: b}
	state := b.TempDir()
	booted, err := embedded.New(embedded.WithStateRoot(state)).Create(b.Context(), cluster.Spec{Nodes: 3})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.close)
	s.cluster = booted.(*embedded.Cluster)
	if s.journal, err = journal.Open(state); err != nil {
		b.Fatal(err)
	}
	if s.client, err = kubernetes.NewForConfig(s.cluster.RESTConfig()); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *site) close() {
	if err := s.cluster.Delete(context.Background()); err != nil {
		s.Error(err)
	}
}

// load makes the plans of a scenario.
func (s *site) load(path string) []plan.Plan {
	s.Helper()
	catalog := scenario.Catalog{
		Operations: runner.Operations().Infos(),
		Actors:     actor.Registry().Infos(),
		Assertions: assert.Registry().Infos(),
	}
	files, err := scenario.Load([]string{path}, catalog)
	if err != nil {
		s.Fatal(err)
	}
	plans, err := plan.Compile(files[0], plan.Options{})
	if err != nil {
		s.Fatal(err)
	}
	if plans, err = runner.Prepare(s.Context(), plans, runner.Surroundings{CacheDir: s.TempDir()}); err != nil {
		s.Fatal(err)
	}
	return plans
}

// rehearse runs plans as rehearse run does, reports included, and returns the run and its folder. Everything must pass,
// or what was measured is not what was meant.
func (s *site) rehearse(cfg runner.Config, plans []plan.Plan) (verdict.Run, string) {
	s.Helper()
	s.number++
	cfg.ID = fmt.Sprintf("bench-%d", s.number)
	cfg.Dir = filepath.Join(s.TempDir(), cfg.ID)
	cfg.Journal = s.journal
	if cfg.Progress == nil {
		cfg.Progress = listener(func(progress.Event) {})
	}
	run, err := runner.Run(s.Context(), cfg, plans)
	if err != nil {
		s.Fatal(err)
	}
	if err := reports.WriteAll(cfg.Dir, run); err != nil {
		s.Fatal(err)
	}
	for _, v := range run.Variants {
		for _, verdict := range v.Verdicts {
			if verdict.Status != "passed" {
				s.Errorf("%s: %s: %s: %s", v.Scenario, verdict.Name, verdict.Status, verdict.Message)
			}
		}
		if v.Status != verdict.Passed {
			s.Fatalf("%s: %s %s", v.Scenario, v.Status, v.Reason)
		}
	}
	return run, cfg.Dir
}

// stepsOf returns how long a variant's steps took, from the beginning of the first until the evidence of the last was
// taken, and how much of it was Helm's and the actors' own.
func (s *site) stepsOf(dir string) (all, operations time.Duration) {
	s.Helper()
	bundle, err := evidence.Load(dir)
	if err != nil {
		s.Fatal(err)
	}
	var from, to time.Duration
	for _, e := range bundle.Timeline {
		if e.Started != nil && from == 0 {
			from = e.At
		}
		if e.Finished != nil {
			to = e.At
			operations += e.Finished.Took
		}
	}
	return to - from, operations
}

// inNamespace does something in a new namespace, which is gone when it returns, and returns how long that took.
func (s *site) inNamespace(do func(namespace string)) time.Duration {
	s.Helper()
	s.number++
	namespaces := s.client.CoreV1().Namespaces()
	name := fmt.Sprintf("bench-%d", s.number)
	if _, err := namespaces.Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
	began := time.Now()
	do(name)
	took := time.Since(began)
	gone, err := namespaces.Watch(s.Context(), metav1.SingleObject(metav1.ObjectMeta{Name: name}))
	if err != nil {
		s.Fatal(err)
	}
	defer gone.Stop()
	if err := namespaces.Delete(s.Context(), name, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
	for e := range gone.ResultChan() {
		if e.Type == "DELETED" {
			return took
		}
	}
	s.Fatalf("the watch on namespace %s ended before it was gone", name)
	return 0
}

// bare does the plan's operations with the same driver, and what its one actor scales, and nothing beside.
func (s *site) bare(p plan.Plan, namespace string) {
	s.Helper()
	helm, err := release.Open(release.Target{
		RESTConfig: s.cluster.RESTConfig(), CacheDir: s.cluster.CacheDir(),
		Namespace: namespace, BaseDir: p.Dir, Release: p.Scenario.Spec.Release,
	})
	if err != nil {
		s.Fatal(err)
	}
	for _, step := range p.Steps {
		ctx, cancel := context.WithTimeout(s.Context(), step.Timeout.Duration)
		switch spec := step.Spec.(type) {
		case *v1alpha1.Install:
			err = helm.Install(ctx, *spec)
		case *v1alpha1.Upgrade:
			err = helm.Upgrade(ctx, *spec)
		case *v1alpha1.Rollback:
			err = helm.Rollback(ctx, *spec)
		case *v1alpha1.Act:
			err = s.scale(ctx, namespace, p.Scenario.Spec.Actors[0].Do.Spec)
		}
		cancel()
		if err != nil {
			s.Fatal(err)
		}
	}
}

// scale does what an actor that scales a Deployment does.
func (s *site) scale(ctx context.Context, namespace string, spec any) error {
	to, ok := spec.(*v1alpha1.Scale)
	if !ok {
		return fmt.Errorf("the plan's actor is a %T", spec)
	}
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, to.Replicas)
	_, err := s.client.AppsV1().Deployments(namespace).Patch(ctx, strings.TrimPrefix(to.Workload, "Deployment/"),
		types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "scale")
	return err
}

// listener hears of a run's progress.
type listener func(progress.Event)

func (l listener) Report(e progress.Event)  { l(e) }
func (listener) Finish(verdict.Run, string) {}
func (listener) Close()                     {}

// ready provides a cluster that is up already, so that its boot is not measured.
type ready struct{ cluster cluster.Cluster }

func (ready) Name() string { return "embedded" }

func (r ready) Create(context.Context, cluster.Spec) (cluster.Cluster, error) {
	return staying{r.cluster}, nil
}

// staying is a cluster that a run does not end.
type staying struct{ cluster.Cluster }

func (staying) Delete(context.Context) error { return nil }
