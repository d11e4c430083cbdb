package release

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

func ptr[T any](v T) *T { return &v }

// every option set to something else than its default.
func unusual() v1alpha1.Options {
	return v1alpha1.Options{
		ServerSide:     "false",
		ForceConflicts: ptr(true),
		ForceReplace:   ptr(true),
		Wait:           "legacy",
		WaitForJobs:    ptr(true),
		Timeout:        &metav1.Duration{Duration: 7 * time.Second},
		DisableHooks:   ptr(true),
		TakeOwnership:  ptr(true),
		CleanupOnFail:  ptr(true),
		MaxHistory:     ptr(3),
		// These say which Helm does it, and as whom: no action of Helm's has them.
		FieldManager: "other",
		Helm:         &v1alpha1.Helm{Version: "4.2.0"},
	}
}

func TestUnusualIsComplete(t *testing.T) {
	t.Parallel()
	v := reflect.ValueOf(unusual())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("option %s is not among those that the tests set", v.Type().Field(i).Name)
		}
	}
}

// TestActions checks that every option of every operation reaches Helm, and what those that nobody states become.
func TestActions(t *testing.T) {
	t.Parallel()
	s, err := Open(Target{RESTConfig: nowhere(), Namespace: "ns", Name: "shop", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, ctx := action.NewConfiguration(), t.Context()
	for name, test := range map[string]struct {
		got  any
		want map[string]any
	}{
		"install, defaults": {
			got: s.installAction(ctx, cfg, v1alpha1.Install{}),
			want: map[string]any{
				"ReleaseName": "shop", "Namespace": "ns", "ServerSideApply": true, "ForceConflicts": false,
				"ForceReplace": false, "WaitStrategy": kube.StatusWatcherStrategy, "WaitForJobs": false,
				"Timeout": 5 * time.Minute, "DisableHooks": false, "TakeOwnership": false, "RollbackOnFailure": false,
				"SkipCRDs": false, "CreateNamespace": false,
			},
		},
		"install": {
			got: s.installAction(ctx, cfg, v1alpha1.Install{Options: unusual(), RollbackOnFailure: ptr(true), SkipCRDs: ptr(true)}),
			want: map[string]any{
				"ServerSideApply": false, "ForceConflicts": true, "ForceReplace": true, "WaitStrategy": kube.LegacyStrategy,
				"WaitForJobs": true, "Timeout": 7 * time.Second, "DisableHooks": true, "TakeOwnership": true,
				"RollbackOnFailure": true, "SkipCRDs": true,
			},
		},
		"upgrade, defaults": {
			got: s.upgradeAction(ctx, cfg, v1alpha1.Upgrade{}),
			want: map[string]any{
				"Namespace": "ns", "ServerSideApply": "auto", "WaitStrategy": kube.StatusWatcherStrategy,
				"Timeout": 5 * time.Minute, "MaxHistory": 10, "CleanupOnFail": false, "ReuseValues": false,
				"ResetValues": false, "Install": false,
			},
		},
		"upgrade": {
			got: s.upgradeAction(ctx, cfg, v1alpha1.Upgrade{
				Options: unusual(), RollbackOnFailure: ptr(true), Install: ptr(true), ReuseValues: ptr(true), ResetValues: ptr(true),
			}),
			want: map[string]any{
				"ServerSideApply": "false", "ForceConflicts": true, "ForceReplace": true, "WaitStrategy": kube.LegacyStrategy,
				"WaitForJobs": true, "Timeout": 7 * time.Second, "DisableHooks": true, "TakeOwnership": true,
				"CleanupOnFail": true, "MaxHistory": 3, "RollbackOnFailure": true, "Install": true, "ReuseValues": true,
				"ResetValues": true,
			},
		},
		"rollback, defaults": {
			got: rollbackAction(ctx, cfg, v1alpha1.Rollback{}),
			want: map[string]any{
				"Version": 0, "ServerSideApply": "auto", "WaitStrategy": kube.StatusWatcherStrategy,
				"Timeout": 5 * time.Minute, "MaxHistory": 10,
			},
		},
		"rollback": {
			got: rollbackAction(ctx, cfg, v1alpha1.Rollback{Options: unusual(), To: 2}),
			want: map[string]any{
				"Version": 2, "ServerSideApply": "false", "ForceConflicts": true, "ForceReplace": true,
				"WaitStrategy": kube.LegacyStrategy, "WaitForJobs": true, "Timeout": 7 * time.Second, "DisableHooks": true,
				"CleanupOnFail": true, "MaxHistory": 3,
			},
		},
		"uninstall": {
			got: uninstallAction(ctx, cfg, v1alpha1.Uninstall{Options: unusual(), KeepHistory: ptr(true)}),
			want: map[string]any{
				"WaitStrategy": kube.LegacyStrategy, "Timeout": 7 * time.Second, "DisableHooks": true, "KeepHistory": true,
			},
		},
		"test": {
			got:  testAction(ctx, cfg, "ns", v1alpha1.Test{Timeout: &metav1.Duration{Duration: time.Second}}),
			want: map[string]any{"Namespace": "ns", "Timeout": time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := reflect.ValueOf(test.got).Elem()
			for field, want := range test.want {
				if got := v.FieldByName(field).Interface(); !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %v, want %v", field, got, want)
				}
			}
			if v.FieldByName("WaitOptions").Len() == 0 {
				t.Error("WaitOptions are empty, want the number of status workers")
			}
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		deadline time.Duration // 0: none
		timeout  time.Duration
		want     time.Duration
	}{
		"no deadline":                              {timeout: time.Minute, want: time.Minute},
		"a deadline far away":                      {deadline: time.Hour, timeout: time.Minute, want: time.Minute},
		"a deadline before it":                     {deadline: time.Minute, timeout: 5 * time.Minute, want: 58 * time.Second},
		"a deadline very near":                     {deadline: time.Second, timeout: 5 * time.Minute, want: 900 * time.Millisecond},
		"a deadline gone by":                       {deadline: -time.Second, timeout: time.Minute, want: time.Millisecond},
		"zero is not Helm's default of 30 seconds": {timeout: 0, want: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.deadline != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithDeadline(ctx, time.Now().Add(test.deadline))
					defer cancel()
				}
				if got := cut(ctx, test.timeout); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}
