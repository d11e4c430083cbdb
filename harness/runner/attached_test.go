package runner

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/verdict"
)

// kubernetesOf is a client of a cluster.
func kubernetesOf(t *testing.T, c cluster.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func openJournal(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func records(t *testing.T, j *journal.Journal) []journal.Record {
	t.Helper()
	all, err := j.List()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkGone: a namespace that a run made does not exist any more.
func checkGone(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("namespace %s: %v", namespace, err)
	}
}

// TestAttached: on a cluster that outlives the run nothing stays, in no namespace and outside of them.
func TestAttached(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	plans := prepare(t, map[string]string{"s": "  cluster: {isolation: namespace}\n  release: {name: r, chart: scoped}\n  steps: [{name: v1, install: {}}]\n"}, charts)
	var noted []journal.Record
	cfg := Config{Attached: c, Journal: j, Parallel: 1, Progress: onStep("v1", func() { noted = records(t, j) })}
	out := perform(t, t.Context(), cfg, plans)
	if out.ExitCode != verdict.ExitPassed {
		t.Fatalf("%+v", out)
	}
	if len(noted) != 1 || len(records(t, j)) != 0 {
		t.Fatalf("the journal held %v, and now %v", noted, records(t, j))
	}
	namespace := noted[0].Data[dataName]
	checkGone(t, client, namespace)
	if _, err := client.RbacV1().ClusterRoles().Get(t.Context(), namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("cluster role %s: %v", namespace, err)
	}
}

// TestAttachedAside: that the cluster which was named is not used is told.
func TestAttachedAside(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	plans := prepare(t, map[string]string{"s": "  cluster: {isolation: cluster}\n  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"}, nil)
	heard, want := 0, "is to have a cluster of its own, which is booted beside "+c.Name()
	cfg := Config{Attached: c, Providers: Always(lends(borrow(t))), Journal: openJournal(t), Parallel: 1, Progress: toldOf(want, func() { heard++ })}
	if out := perform(t, t.Context(), cfg, plans); out.ExitCode != verdict.ExitPassed || heard != 1 {
		t.Errorf("told %d times, %+v", heard, out)
	}
}

// toldOf calls do when a variant is said to be at something.
func toldOf(what string, do func()) progress.Reporter {
	return told(func(e progress.Event) {
		if e.Kind == progress.Waiting && e.Variant != "" && e.Detail == what {
			do()
		}
	})
}

// TestElsewhere: what a chart and actors make outside of the scenario's namespace is evidence, and does not stay; what was
// there before does.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	there := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "there-before", Namespace: metav1.NamespaceDefault}}
	if _, err := client.CoreV1().ConfigMaps(there.Namespace).Create(t.Context(), there, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	plans := prepare(t, map[string]string{"s": `  cluster: {isolation: namespace}
  release: {name: r, chart: strays}
  actors:
  - {name: role, create: {manifest: {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: made-by-an-actor}}}}
  - {name: far, apply: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: default}, data: {a: b}}}}
  - {name: other, apply: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: there-before, namespace: default}, data: {a: b}}}}
  - {name: bye, delete: {object: ClusterRole/made-by-an-actor}}
  steps:
  - {name: v1, install: {}}
  - {name: made, act: role}
  - {name: applied, act: far}
  - {name: changed, act: other}
  - {name: gone, act: bye}
  - {name: again, act: role}
  assert:
  - live: {strict: true, at: v1}
  - object: {object: ConfigMap/kube-system/stray, match: {metadata: {namespace: kube-system}}}
  - object: {object: ConfigMap/kube-system/stray-hook, match: {metadata: {namespace: kube-system}}}
  - object: {at: made, object: ClusterRole/made-by-an-actor}
  - object: {at: gone, object: ClusterRole/made-by-an-actor, absent: true}
  - ownership: {object: ConfigMap/default/far, field: .data.a, managers: [far]}
  - object: {object: ConfigMap/default/there-before, match: {data: {a: b}}}
`}, charts)
	out := perform(t, t.Context(), Config{Attached: c, Journal: j, Parallel: 1}, plans)
	if out.ExitCode != verdict.ExitPassed || len(records(t, j)) != 0 {
		t.Errorf("%+v, and the journal holds %v", out, records(t, j))
	}
	for name, get := range map[string]func() error{
		"the chart's": func() error {
			_, err := client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "stray", metav1.GetOptions{})
			return err
		},
		"the chart's hook": func() error {
			_, err := client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "stray-hook", metav1.GetOptions{})
			return err
		},
		"an actor's": func() error {
			_, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), "far", metav1.GetOptions{})
			return err
		},
		"outside of any": func() error {
			_, err := client.RbacV1().ClusterRoles().Get(t.Context(), "made-by-an-actor", metav1.GetOptions{})
			return err
		},
	} {
		if err := get(); !apierrors.IsNotFound(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if _, err := client.CoreV1().ConfigMaps(there.Namespace).Get(t.Context(), there.Name, metav1.GetOptions{}); err != nil {
		t.Errorf("what was there before: %v", err)
	}
}

// TestStrikeMade: what somebody else has made meanwhile, under the name that an actor was to use, is left.
func TestStrikeMade(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	client := kubernetesOf(t, c)
	for manager, stays := range map[string]bool{"somebody-else": true, "maker": false} {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "by-" + manager, Namespace: metav1.NamespaceDefault}, Data: map[string]string{"a": "b"}}
		if _, err := client.CoreV1().ConfigMaps(object.Namespace).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager}); err != nil {
			t.Fatal(err)
		}
		left := traces{namespace: "none", release: "r", made: []ref.Ref{{Kind: "ConfigMap", Namespace: object.Namespace, Name: object.Name}}, managers: []string{"helm", "maker"}}
		if err := left.sweep(t.Context(), c.RESTConfig()); err != nil {
			t.Error(err)
		}
		if _, err := client.CoreV1().ConfigMaps(object.Namespace).Get(t.Context(), object.Name, metav1.GetOptions{}); (err == nil) != stays {
			t.Errorf("%s: %v, want that it stays: %v", object.Name, err, stays)
		}
	}
}

// TestStuckNamespace: a namespace that a finalizer holds is clean-up incomplete, and rehearse gc removes it later.
func TestStuckNamespace(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	plans := prepare(t, map[string]string{"s": `  release: {name: r, chart: tiny}
  timeouts: {cleanup: 10s}
  actors: [{name: hand, create: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [tests.example/hold]}}}}]
  steps: [{name: v1, install: {}}, {name: held, act: hand}]
`}, nil)
	out := perform(t, t.Context(), Config{Attached: c, Journal: j, Parallel: 1}, plans)
	if out.Status != verdict.Passed || out.ExitCode != verdict.ExitCleanupIncomplete || !strings.Contains(out.CleanupErr, "finalizer") || !strings.Contains(out.CleanupErr, "timeouts.cleanup has passed") {
		t.Errorf("%s with exit code %d, clean-up %q", out.Status, out.ExitCode, out.CleanupErr)
	}
	left := records(t, j)
	if len(left) != 1 {
		t.Fatalf("the journal holds %v", left)
	}
	namespace := left[0].Data[dataName]
	release := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "held", "application/merge-patch+json", release, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Undo().Remove(t.Context(), left[0]); err != nil {
		t.Fatal(err)
	}
	checkGone(t, client, namespace)
	gone := left[0]
	gone.Data = map[string]string{dataKubeconfig: filepath.Join(t.TempDir(), "none"), dataName: namespace}
	if err := Undo().Remove(t.Context(), gone); err != nil {
		t.Errorf("a cluster that is gone: %v", err)
	}
}

// TestKeep: what is kept is there while the user looks, pods become ready then too, and all is removed after that.
func TestKeep(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	plans := prepare(t, map[string]string{
		"a": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n",
		"b": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}, expect: {error: never}}]\n",
	}, nil)
	var seen []Kept
	cfg := Config{Attached: c, Journal: j, Parallel: 2, Keep: true, Linger: func(ctx context.Context, soFar verdict.Run, all []Kept) {
		seen = all
		if soFar.ExitCode != verdict.ExitFailed || soFar.Duration == 0 {
			t.Errorf("the outcome so far: %+v", soFar)
		}
		for _, kept := range all {
			if _, err := client.CoreV1().ConfigMaps(kept.Namespace).Get(ctx, "note", metav1.GetOptions{}); err != nil {
				t.Errorf("%s was not kept: %v", kept.Variant, err)
			}
			if kept.Kubeconfig != c.KubeconfigPath() {
				t.Errorf("kubeconfig %s", kept.Kubeconfig)
			}
		}
	}}
	out := perform(t, t.Context(), cfg, plans)
	if len(seen) != 2 || out.ExitCode != verdict.ExitFailed || out.CleanupErr != "" {
		t.Fatalf("kept %v, exit code %d, clean-up %q", seen, out.ExitCode, out.CleanupErr)
	}
	for _, kept := range seen {
		checkGone(t, client, kept.Namespace)
	}
	if left := records(t, j); len(left) != 0 {
		t.Errorf("the journal holds %v", left)
	}
}
