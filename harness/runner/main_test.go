package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/scenario"
)

// shared is the cluster of all tests that need one.
var shared lazyCluster

// TestMain also proves that runs leave no goroutine, however they end.
func TestMain(m *testing.M) {
	if code, asked := release.OwnHelm(os.Args[1:], os.Stdout, os.Stderr); asked { // for driver cli
		os.Exit(code)
	}
	code := m.Run()
	err := errors.Join(shared.end(), goleak.Find(
		// KWOK gives its queues and its Event broadcaster no way to end.
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/utils/queue.(*delayingQueue[...]).loopWorker"),
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/utils/queue.(*weightDelayingQueue[...]).loopWorker"),
		// Its watches may end up sending to a worker that has ended before.
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/kwok/controllers.(*PodController).watchResources"),
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/kwok/controllers.(*NodeController).watchResources"),
		goleak.IgnoreAnyFunction("k8s.io/apimachinery/pkg/watch.(*Broadcaster).loop"),
		goleak.IgnoreAnyFunction("k8s.io/client-go/tools/record.(*eventBroadcasterImpl).StartEventWatcher.func1"),
	))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// lazyCluster is a real cluster that is booted when the first test needs it.
type lazyCluster struct {
	once    sync.Once
	cluster cluster.Cluster
	err     error
}

func (l *lazyCluster) get(t *testing.T) cluster.Cluster {
	t.Helper()
	l.once.Do(func() { l.cluster, l.err = embedded.New().Create(context.Background(), cluster.Spec{Nodes: 1}) })
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.cluster
}

func (l *lazyCluster) end() error {
	l.once.Do(func() {})
	if l.cluster == nil {
		return nil
	}
	return l.cluster.Delete(context.Background())
}

// borrowed is the shared cluster as a run sees its own: it can be told to die, and its Delete ends nothing.
type borrowed struct {
	cluster.Cluster
	died  chan struct{}
	cause error
	// deleteErr is what Delete returns.
	deleteErr error

	mu      sync.Mutex
	deleted int
}

func borrow(t *testing.T) *borrowed {
	t.Helper()
	return &borrowed{Cluster: shared.get(t), died: make(chan struct{})}
}

// die makes the cluster look dead.
func (b *borrowed) die(cause error) {
	b.cause = cause
	close(b.died)
}

func (b *borrowed) Died() <-chan struct{} { return b.died }

func (b *borrowed) Cause() error {
	select {
	case <-b.died:
		return b.cause
	default:
		return nil
	}
}

func (b *borrowed) Delete(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deleted++
	return b.deleteErr
}

// provider makes clusters as a test says.
type provider func(ctx context.Context, spec cluster.Spec) (cluster.Cluster, error)

func (provider) Name() string { return "fake" }

func (p provider) Create(ctx context.Context, spec cluster.Spec) (cluster.Cluster, error) {
	return p(ctx, spec)
}

// lends is a provider of one cluster.
func lends(c cluster.Cluster) provider {
	return func(context.Context, cluster.Spec) (cluster.Cluster, error) { return c, nil }
}

// tiny is a chart of one ConfigMap, whose value note is rendered into it; it does not render if the value broken is set.
var tiny = map[string]string{
	"tiny/Chart.yaml": "apiVersion: v2\nname: tiny\nversion: 0.1.0\n",
	"tiny/templates/note.yaml": `{{ if .Values.broken }}{{ fail "it is broken" }}{{ end -}}
apiVersion: v1
kind: ConfigMap
metadata: {name: note}
data: {note: {{ .Values.note | default "none" | quote }}}
`,
}

// compile makes the plans of scenarios, which are given by their specs. The folder holds the chart tiny, and more files.
func compile(t *testing.T, specs map[string]string, more map[string]string) []plan.Plan {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{}
	for _, source := range []map[string]string{tiny, more} {
		for name, text := range source {
			files[name] = text
		}
	}
	for name, spec := range specs {
		files[name+".yaml"] = "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: " + name + "}\nspec:\n  description: Tests the runner.\n" + spec
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := scenario.Load([]string{dir}, Catalog())
	if err != nil {
		t.Fatal(err)
	}
	var plans []plan.Plan
	for _, file := range loaded {
		compiled, err := plan.Compile(file, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, compiled...)
	}
	return plans
}

// prepare is compile with the charts rendered.
func prepare(t *testing.T, specs map[string]string, more map[string]string) []plan.Plan {
	t.Helper()
	plans, err := Prepare(t.Context(), compile(t, specs, more), Surroundings{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}
