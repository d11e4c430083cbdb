package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// stuck is a chart whose pods never become ready while the value stuck is set.
func (s *stage) stuck(t *testing.T) string {
	t.Helper()
	writeChart(t, s.charts, "stuck", `apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      {{- if .Values.stuck }}
      readinessGates: [{conditionType: example.com/never}]
      {{- end }}
      containers: [{name: app, image: app}]
`)
	return "stuck"
}

// afterApply calls do once the Deployment backend has a generation of at least n: Helm waits from then on.
func (s *stage) afterApply(t *testing.T, n int64, do func()) {
	t.Helper()
	w, err := s.client.AppsV1().Deployments(s.namespace).Watch(t.Context(),
		metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "backend").String()})
	must(t, err)
	go func() {
		defer w.Stop()
		for e := range w.ResultChan() {
			if o, ok := e.Object.(metav1.Object); ok && o.GetGeneration() >= n {
				do()
				return
			}
		}
	}()
}

// TestCancel cancels each operation in its wait, under each strategy that waits.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, wait := range []string{"watcher", "legacy"} {
		for operation, want := range map[string][]string{
			"install":  {"failed ssa"},
			"upgrade":  {"deployed ssa", "failed ssa"},
			"rollback": {"superseded ssa", "deployed ssa", "failed ssa"},
		} {
			t.Run(wait+"/"+operation, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				sdk := s.open(t, s.stuck(t))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				opts := v1alpha1.Options{Wait: wait}
				hookOnly := v1alpha1.Options{Wait: "hookOnly"}
				started := time.Now()
				var err error
				switch operation {
				case "install":
					s.afterApply(t, 1, cancel)
					err = sdk.Install(ctx, install(values{"stuck": true}, func(i *v1alpha1.Install) { i.Options = opts }))
				case "upgrade":
					must(t, sdk.Install(ctx, install(nil)))
					s.afterApply(t, 2, cancel)
					err = sdk.Upgrade(ctx, upgrade(values{"stuck": true}, func(u *v1alpha1.Upgrade) { u.Options = opts }))
				case "rollback":
					must(t, sdk.Install(ctx, install(values{"stuck": true}, func(i *v1alpha1.Install) { i.Options = hookOnly })))
					must(t, sdk.Upgrade(ctx, upgrade(values{"stuck": false})))
					s.afterApply(t, 3, cancel)
					err = sdk.Rollback(ctx, v1alpha1.Rollback{To: 1, Options: opts})
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got error %v, want one of cancellation", err)
				}
				fails(t, err, operation+" of release "+s.namespace+"/shop was cut short")
				if took := time.Since(started); took > time.Minute {
					t.Errorf("it took %s", took)
				}
				s.wantLedger(t, want...)
			})
		}
	}
}

// TestDeadline checks that Helm gives up before the step's deadline, and says what it waited for.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, s.stuck(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := sdk.Install(ctx, install(values{"stuck": true}))
	fails(t, err, "resource Deployment/"+s.namespace+"/backend not ready")
	if strings.Contains(err.Error(), "cut short") {
		t.Errorf("the step's deadline came before Helm's own timeout: %v", err)
	}
	s.wantLedger(t, "failed ssa")
}
