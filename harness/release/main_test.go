package release_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"rehearse.dev/rehearse/charts"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/release"
)

// boot starts the cluster that the tests share, once, for the first that asks.
var boot = sync.OnceValues(func() (cluster.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return embedded.New().Create(ctx, cluster.Spec{Nodes: 1})
})

// booted is set once boot has been called: a run of unit tests needs no cluster.
var booted atomic.Bool

func TestMain(m *testing.M) {
	if code, asked := release.OwnHelm(os.Args[1:], os.Stdout, os.Stderr); asked { // for driver cli
		os.Exit(code)
	}
	// Helm and client-go log beside the loggers that they are given; the command does the same.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	code := m.Run()
	if booted.Load() {
		if c, err := boot(); err == nil {
			if err := c.Delete(context.Background()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// stage is a namespace of a test's own on the shared cluster.
type stage struct {
	cluster   cluster.Cluster
	client    kubernetes.Interface
	namespace string
	charts    string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test boots a cluster")
	}
	booted.Store(true)
	c, err := boot()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{cluster: c, client: client, charts: filepath.Join(t.TempDir(), "charts")}
	if err := charts.Extract(s.charts); err != nil {
		t.Fatal(err)
	}
	ns, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "release-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.namespace = ns.Name
	return s
}

// open returns the driver of the release shop on a chart.
func (s *stage) open(t *testing.T, chart string, change ...func(*release.Target)) *release.SDK {
	t.Helper()
	target := release.Target{
		RESTConfig: s.cluster.RESTConfig(),
		CacheDir:   s.cluster.CacheDir(),
		Namespace:  s.namespace,
		BaseDir:    s.charts,
		Release:    v1alpha1.Release{Name: "shop", Chart: chart},
	}
	for _, c := range change {
		c(&target)
	}
	sdk, err := release.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	return sdk
}

// writeChart makes a chart of one template below dir.
func writeChart(t *testing.T, dir, name, template string) {
	t.Helper()
	for path, content := range map[string]string{
		"Chart.yaml":              "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n",
		"templates/manifest.yaml": template,
	} {
		path = filepath.Join(dir, name, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
