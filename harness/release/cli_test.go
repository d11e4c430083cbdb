package release_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/release"
)

// openCLI returns the driver of the release shop that runs this test binary as helm.
func (s *stage) openCLI(t *testing.T, change ...func(*release.Target)) *release.CLI {
	t.Helper()
	target := release.Target{
		Kubeconfig: s.cluster.KubeconfigPath(), CacheDir: s.cluster.CacheDir(), HomeDir: t.TempDir(), Namespace: s.namespace,
		BaseDir: s.charts, Release: v1alpha1.Release{Name: "shop", Chart: "shop", Values: map[string]any{"migration": map[string]any{"enabled": false}}},
	}
	for _, c := range change {
		c(&target)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cli, err := release.OpenCLI(target, func(_ context.Context, which *v1alpha1.Helm) (release.Command, error) {
		return release.Command{Path: self, Own: which == nil, Major: 4, Version: "4.3.1"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return cli
}

// TestCLI: the operations of a release's life, and who writes.
func TestCLI(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	cli := s.openCLI(t, func(target *release.Target) { target.FieldManager = "pipeline" })
	ctx := t.Context()
	for _, do := range []func() error{
		func() error { return cli.Install(ctx, v1alpha1.Install{}) },
		func() error {
			return cli.Upgrade(ctx, v1alpha1.Upgrade{ChartSource: v1alpha1.ChartSource{Values: map[string]any{"tag": "v2"}}})
		},
		func() error { return cli.Test(ctx, v1alpha1.Test{}) },
		func() error { return cli.Rollback(ctx, v1alpha1.Rollback{To: 1}) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	d, err := s.client.AppsV1().Deployments(s.namespace).Get(ctx, "backend", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range d.ManagedFields {
		if entry.Manager == "helm" {
			t.Errorf("helm wrote it, want pipeline: %+v", entry)
		}
	}
	observer, err := release.NewObserver(s.cluster.RESTConfig(), s.namespace, "shop")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := observer.Ledger(ctx)
	if err != nil || len(ledger.Revisions) != 3 || ledger.Revisions[2].Status != "deployed" {
		t.Errorf("the ledger is %+v, %v", ledger, err)
	}
	if hooks := ledger.Revisions[1].Hooks; len(hooks) != 1 || hooks[0].Phase != "Succeeded" {
		t.Errorf("the test of revision 2: %+v", hooks)
	}
	if err := cli.Uninstall(ctx, v1alpha1.Uninstall{}); err != nil {
		t.Fatal(err)
	}
	err = cli.Rollback(ctx, v1alpha1.Rollback{})
	if err == nil || !strings.Contains(err.Error(), "rollback of release "+s.namespace+"/shop: release: not found") {
		t.Errorf("a rollback of nothing: %v", err)
	}
}

// TestCLIForeignManager: a helm that is not ours cannot be told its field manager.
func TestCLIForeignManager(t *testing.T) {
	t.Parallel()
	cli := (&stage{namespace: "ns"}).bare(t, "pipeline")
	err := cli.Install(t.Context(), v1alpha1.Install{Options: v1alpha1.Options{Helm: &v1alpha1.Helm{Version: "4.2.0"}}})
	if !errors.Is(err, release.ErrUnknownOption) {
		t.Errorf("got %v", err)
	}
	if err := cli.Signal(t.Context(), syscall.SIGKILL); !errors.Is(err, release.ErrNoProcess) {
		t.Errorf("a signal to nothing: %v", err)
	}
}

// bare is a driver without a cluster.
func (s *stage) bare(t *testing.T, manager string) *release.CLI {
	t.Helper()
	cli, err := release.OpenCLI(release.Target{
		Kubeconfig: "none", CacheDir: t.TempDir(), HomeDir: t.TempDir(), Namespace: s.namespace, Name: "shop", FieldManager: manager,
	}, func(context.Context, *v1alpha1.Helm) (release.Command, error) {
		return release.Command{Path: "/nowhere", Major: 4}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return cli
}

// TestCLIDeadline: a helm whose time is over is asked to end, and its home holds no values afterwards.
func TestCLIDeadline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	home := t.TempDir()
	cli := s.openCLI(t, func(target *release.Target) { target.HomeDir = home })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() { // once it waits, which it does for long enough: the image's pods are simulated, this one's never come
		watch, err := s.client.AppsV1().Deployments(s.namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			cancel(err)
			return
		}
		defer watch.Stop()
		<-watch.ResultChan()
		cancel(cause)
	}()
	values := map[string]any{"frontend": map[string]any{"replicas": 200}}
	err := cli.Install(ctx, v1alpha1.Install{ChartSource: v1alpha1.ChartSource{Values: values}, Options: v1alpha1.Options{Timeout: &metav1.Duration{Duration: time.Minute}}})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "was cut short") {
		t.Errorf("got %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(home, "run-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
