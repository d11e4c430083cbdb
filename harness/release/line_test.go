package release

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// TestLines: every option becomes a flag, for Helm 4 and Helm 3, or is refused.
func TestLines(t *testing.T) {
	t.Parallel()
	yes, three := true, 3
	all := v1alpha1.Options{
		ServerSide: "true", ForceConflicts: &yes, ForceReplace: &yes, Wait: "hookOnly", WaitForJobs: &yes, Timeout: &metav1.Duration{Duration: time.Minute},
		DisableHooks: &yes, TakeOwnership: &yes, CleanupOnFail: &yes, MaxHistory: &three,
	}
	classic := all
	classic.ServerSide, classic.ForceConflicts, classic.Wait = "false", nil, "legacy"
	modern := classic
	modern.ServerSide, modern.ForceConflicts = "true", &yes
	source := v1alpha1.ChartSource{Values: map[string]any{"tag": "v2"}, ValueFiles: []string{"more.yaml"}}
	for name, test := range map[string]struct {
		major   int
		write   func(context.Context, *line) error
		want    string // DIR stands for the folder of value files
		refused string // of Helm 3, the options it does not know
	}{
		"install": {
			major: 4,
			write: func(ctx context.Context, l *line) error {
				return l.install(ctx, v1alpha1.Install{ChartSource: source, Options: all, RollbackOnFailure: &yes, SkipCRDs: &yes})
			},
			want: "install shop /charts/shop --namespace ns --kubeconfig /kube --skip-crds --take-ownership --rollback-on-failure " +
				"--values /charts/base.yaml --values /charts/more.yaml --values DIR/release.yaml --values DIR/operation.yaml " +
				"--force-replace --server-side=true --force-conflicts --timeout 1m0s --no-hooks --wait-for-jobs --wait=hookOnly",
		},
		"install by default": {
			major: 4,
			write: func(ctx context.Context, l *line) error { return l.install(ctx, v1alpha1.Install{}) },
			want: "install shop /charts/shop --namespace ns --kubeconfig /kube --values /charts/base.yaml --values DIR/release.yaml " +
				"--server-side=true --timeout 5m0s --wait=watcher",
		},
		"install by Helm 3": {
			major: 3,
			write: func(ctx context.Context, l *line) error {
				return l.install(ctx, v1alpha1.Install{Options: classic, RollbackOnFailure: &yes})
			},
			want: "install shop /charts/shop --namespace ns --kubeconfig /kube --take-ownership --atomic --values /charts/base.yaml " +
				"--values DIR/release.yaml --force --timeout 1m0s --no-hooks --wait-for-jobs --wait",
		},
		"upgrade": {
			major: 4,
			write: func(ctx context.Context, l *line) error {
				return l.upgrade(ctx, v1alpha1.Upgrade{
					ChartSource: v1alpha1.ChartSource{Chart: "oci://example.invalid/shop", Version: "1.2.3"},
					Options:     all, RollbackOnFailure: &yes, Install: &yes, ReuseValues: &yes, ResetValues: &yes,
				})
			},
			want: "upgrade shop oci://example.invalid/shop --namespace ns --kubeconfig /kube --install --reuse-values --reset-values --take-ownership " +
				"--rollback-on-failure --history-max 3 --cleanup-on-fail --version 1.2.3 --values /charts/base.yaml --values DIR/release.yaml " +
				"--force-replace --server-side=true --force-conflicts --timeout 1m0s --no-hooks --wait-for-jobs --wait=hookOnly",
		},
		"rollback": {
			major: 4,
			write: func(ctx context.Context, l *line) error {
				return l.rollback(ctx, v1alpha1.Rollback{To: 1, Options: all})
			},
			want: "rollback shop 1 --namespace ns --kubeconfig /kube --history-max 3 --cleanup-on-fail --force-replace --server-side=true " +
				"--force-conflicts --timeout 1m0s --no-hooks --wait-for-jobs --wait=hookOnly",
		},
		"rollback by default": {
			major: 4,
			write: func(ctx context.Context, l *line) error { return l.rollback(ctx, v1alpha1.Rollback{}) },
			want:  "rollback shop --namespace ns --kubeconfig /kube --history-max 10 --server-side=auto --timeout 5m0s --wait=watcher",
		},
		"rollback by Helm 3": {
			major:   3,
			write:   func(ctx context.Context, l *line) error { return l.rollback(ctx, v1alpha1.Rollback{Options: modern}) },
			refused: "serverSide forceConflicts",
		},
		"rollback by Helm 3 by default": {
			major:   3,
			write:   func(ctx context.Context, l *line) error { return l.rollback(ctx, v1alpha1.Rollback{}) },
			refused: "wait",
		},
		"uninstall": {
			major: 4,
			write: func(ctx context.Context, l *line) error {
				return l.uninstall(ctx, v1alpha1.Uninstall{Options: all, KeepHistory: &yes})
			},
			want: "uninstall shop --namespace ns --kubeconfig /kube --keep-history --timeout 1m0s --no-hooks --wait=hookOnly",
		},
		"test": {
			major: 4,
			write: func(ctx context.Context, l *line) error {
				return l.test(ctx, v1alpha1.Test{Timeout: &metav1.Duration{Duration: time.Minute}})
			},
			want: "test shop --namespace ns --kubeconfig /kube --timeout 1m0s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &line{major: test.major, version: "3.22.0", dir: t.TempDir(), target: Target{
				Name: "shop", Namespace: "ns", Kubeconfig: "/kube", BaseDir: "/charts",
				Release: v1alpha1.Release{Chart: "shop", Values: map[string]any{"tag": "v1"}, ValueFiles: []string{"base.yaml"}},
			}}
			err := test.write(t.Context(), l)
			for _, option := range strings.Fields(test.refused) {
				if !errors.Is(err, ErrUnknownOption) || !strings.Contains(err.Error(), "helm 3.22.0 does not know "+option) {
					t.Errorf("got the error %v, want one that refuses %s", err, option)
				}
			}
			if test.refused != "" {
				return
			}
			if got := strings.ReplaceAll(strings.Join(l.args, " "), l.dir, "DIR"); err != nil || got != test.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, test.want)
			}
		})
	}
}

// TestLineValues: what helm reads is what the scenario says, nulls included, and nobody else can read it.
func TestLineValues(t *testing.T) {
	t.Parallel()
	l := &line{dir: t.TempDir()}
	if err := l.values("x.yaml", map[string]any{"a": nil, "b": map[string]any{"c": 1}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(l.args[1])
	if err != nil || string(data) != "a: null\nb:\n  c: 1\n" {
		t.Errorf("got %q, %v", data, err)
	}
	if info, err := os.Stat(l.args[1]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v (%v)", info.Mode(), err)
	}
}
