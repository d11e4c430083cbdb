package release_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/release"
)

func ptr[T any](v T) *T { return &v }

type values = map[string]any

func install(v values, change ...func(*v1alpha1.Install)) v1alpha1.Install {
	spec := v1alpha1.Install{ChartSource: v1alpha1.ChartSource{Values: v}}
	for _, c := range change {
		c(&spec)
	}
	return spec
}

func upgrade(v values, change ...func(*v1alpha1.Upgrade)) v1alpha1.Upgrade {
	spec := v1alpha1.Upgrade{ChartSource: v1alpha1.ChartSource{Values: v}}
	for _, c := range change {
		c(&spec)
	}
	return spec
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks that err contains want.
func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got error %v, want one with %q", err, want)
	}
}

func (s *stage) ledger(t *testing.T) evidence.Ledger {
	t.Helper()
	o, err := release.NewObserver(s.cluster.RESTConfig(), s.namespace, "shop")
	must(t, err)
	ledger, err := o.Ledger(t.Context())
	must(t, err)
	return ledger
}

// wantLedger checks the revisions, each written as "status method".
func (s *stage) wantLedger(t *testing.T, want ...string) {
	t.Helper()
	got := []string{}
	for _, r := range s.ledger(t).Revisions {
		got = append(got, strings.TrimSpace(r.Status+" "+r.ApplyMethod))
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the ledger differs (-want +got):\n%s", diff)
	}
}

// managers returns who manages the Deployment backend, as "manager operation", but for its status.
func (s *stage) managers(t *testing.T) []string {
	t.Helper()
	d, err := s.client.AppsV1().Deployments(s.namespace).Get(t.Context(), "backend", metav1.GetOptions{})
	must(t, err)
	var got []string
	for _, m := range d.ManagedFields {
		if m.Manager != "kube-controller-manager" {
			got = append(got, fmt.Sprintf("%s %s", m.Manager, m.Operation))
		}
	}
	slices.Sort(got)
	return got
}

func TestLifeOfARelease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, "shop")

	must(t, sdk.Install(t.Context(), install(values{"tag": "v1"})))
	s.wantLedger(t, "deployed ssa")
	if diff := cmp.Diff([]string{"helm Apply"}, s.managers(t)); diff != "" {
		t.Errorf("managers differ (-want +got):\n%s", diff)
	}
	fails(t, sdk.Install(t.Context(), install(nil)), "install of release "+s.namespace+"/shop: release name check failed")

	must(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": "v2", "extras": values{"cache": values{"size": 1}}})))
	s.wantLedger(t, "superseded ssa", "deployed ssa")
	_, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "cache", metav1.GetOptions{})
	must(t, err)

	must(t, sdk.Test(t.Context(), v1alpha1.Test{}))
	must(t, sdk.Rollback(t.Context(), v1alpha1.Rollback{To: 1}))
	s.wantLedger(t, "superseded ssa", "superseded ssa", "deployed ssa")
	if _, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "cache", metav1.GetOptions{}); err == nil {
		t.Error("what revision 2 added is still there after the rollback")
	}

	ledger := s.ledger(t)
	second, third := ledger.Revisions[1], ledger.Revisions[2]
	if got := phases(second); !slices.Equal(got, []string{"migrate Succeeded", "shop-test Succeeded"}) {
		t.Errorf("hooks of revision 2 are %v", got)
	}
	if third.Description != "Rollback to 1" || third.Chart != "shop-1.0.0" || third.StorageBytes == 0 || len(third.Manifest) != 8 {
		t.Errorf("revision 3 is %q of chart %q, %d bytes, %d objects", third.Description, third.Chart, third.StorageBytes, len(third.Manifest))
	}

	must(t, sdk.Uninstall(t.Context(), v1alpha1.Uninstall{KeepHistory: ptr(true)}))
	s.wantLedger(t, "superseded ssa", "superseded ssa", "uninstalled ssa")
	// As helm upgrade --install: the name of an uninstalled release is free, and the history goes on.
	must(t, sdk.Upgrade(t.Context(), upgrade(nil, func(u *v1alpha1.Upgrade) { u.Install = ptr(true) })))
	s.wantLedger(t, "superseded ssa", "superseded ssa", "superseded ssa", "deployed ssa")
	must(t, sdk.Uninstall(t.Context(), v1alpha1.Uninstall{}))
	s.wantLedger(t)
	must(t, sdk.Upgrade(t.Context(), upgrade(nil, func(u *v1alpha1.Upgrade) { u.Install = ptr(true) })))
	s.wantLedger(t, "deployed ssa")
}

func phases(r evidence.Revision) []string {
	var got []string
	for _, h := range r.Hooks {
		got = append(got, h.Ref.Name+" "+h.Phase)
	}
	slices.Sort(got)
	return got
}

// TestFailingPreRollbackHook is pitfall 8: the revision stays pending.
func TestFailingPreRollbackHook(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, "shop")
	broken := values{"tag": "v1", "migration": values{"preRollback": true}, "break": values{"hook": true}}
	must(t, sdk.Install(t.Context(), install(broken, func(i *v1alpha1.Install) { i.DisableHooks = ptr(true) })))
	must(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": "v2"})))
	if err := sdk.Rollback(t.Context(), v1alpha1.Rollback{To: 1}); err == nil {
		t.Fatal("the rollback succeeded although its hook fails")
	}
	s.wantLedger(t, "superseded ssa", "deployed ssa", "pending-rollback ssa")
	fails(t, sdk.Upgrade(t.Context(), upgrade(nil)), "another operation (install/upgrade/rollback) is in progress")
	// Rollback has no such guard, so it is also the way out.
	must(t, sdk.Rollback(t.Context(), v1alpha1.Rollback{To: 2}))
	s.wantLedger(t, "superseded ssa", "superseded ssa", "pending-rollback ssa", "deployed ssa")
}

func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, "shop")
	must(t, sdk.Install(t.Context(), install(nil)))
	must(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": "v2"})))
	const name = "sh.helm.release.v1.shop.v1"
	_, err := s.client.CoreV1().Secrets(s.namespace).Patch(t.Context(), name, types.MergePatchType,
		[]byte(`{"data":{"release":"JSUl"},"metadata":{"labels":null}}`), metav1.PatchOptions{})
	must(t, err)
	ledger := s.ledger(t)
	if len(ledger.Revisions) != 1 || !strings.Contains(ledger.Unreadable[name], "not base64") {
		t.Errorf("got %d revisions, and unreadable %v", len(ledger.Revisions), ledger.Unreadable)
	}
	fails(t, sdk.Rollback(t.Context(), v1alpha1.Rollback{To: 1}), "release has no 1 version")
}

func TestApplyMethods(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, "shop")
	method := func(m string) func(*v1alpha1.Upgrade) {
		return func(u *v1alpha1.Upgrade) { u.ServerSide = m }
	}
	wantManagers := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, s.managers(t)); diff != "" {
			t.Fatalf("managers differ (-want +got):\n%s", diff)
		}
	}
	must(t, sdk.Install(t.Context(), install(nil, func(i *v1alpha1.Install) { i.ServerSide = "false" })))
	s.wantLedger(t, "deployed csa")
	wantManagers("helm Update")
	must(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": "v2"}, method("auto"))))
	s.wantLedger(t, "superseded csa", "deployed csa")
	must(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": "v3"}, method("true"))))
	s.wantLedger(t, "superseded csa", "superseded csa", "deployed ssa")
	wantManagers("helm Apply")
	// auto on a rollback is the target's method, and it stays: pitfall 6.
	must(t, sdk.Rollback(t.Context(), v1alpha1.Rollback{To: 2}))
	s.wantLedger(t, "superseded csa", "superseded csa", "superseded ssa", "deployed csa")
	must(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": "v5"}, func(u *v1alpha1.Upgrade) { u.MaxHistory = ptr(2) })))
	s.wantLedger(t, "superseded csa", "deployed csa")

	force := upgrade(values{"tag": "v6"}, method("true"), func(u *v1alpha1.Upgrade) { u.ForceReplace = ptr(true) })
	fails(t, sdk.Upgrade(t.Context(), force), "invalid operation: cannot use server-side apply and force replace together")
}

// TestFieldManagers runs releases under two managers at once, though Helm has one for the whole process. It runs apart
// from the other tests, which would wait for one another at the gate.
func TestFieldManagers(t *testing.T) {
	managers := []string{"helm", "flux", "helm", "flux"}
	stages := make([]*stage, len(managers))
	errs := make(chan error)
	for i, manager := range managers {
		stages[i] = newStage(t)
		sdk := stages[i].open(t, "shop", func(target *release.Target) { target.FieldManager = manager })
		go func() {
			errs <- errors.Join(sdk.Install(t.Context(), install(nil)), sdk.Upgrade(t.Context(), upgrade(values{"tag": "v2"})))
		}()
	}
	for range managers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i, manager := range managers {
		if got, want := stages[i].managers(t), []string{manager + " Apply"}; !slices.Equal(got, want) {
			t.Errorf("got managers %v, want %v", got, want)
		}
	}
}

// TestDefinitionsAmongTemplates checks that a kind defined by one revision is known to the next operation.
func TestDefinitionsAmongTemplates(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, "scoped")
	fails(t, sdk.Install(t.Context(), install(values{"widgets": []any{"a"}})), `no matches for kind "Widget"`)
	must(t, sdk.Install(t.Context(), install(nil)))
	must(t, sdk.Upgrade(t.Context(), upgrade(values{"widgets": []any{"a"}})))
	must(t, sdk.Uninstall(t.Context(), v1alpha1.Uninstall{}))
}
