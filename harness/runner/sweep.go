package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/observe"
)

// The journal's kind of a scenario's namespace, and the data that undoing it needs.
const (
	kindNamespace  = "namespace"
	dataKubeconfig = "kubeconfig"
	dataName       = "name"
	dataRelease    = "release"
)

// undoBound is how long rehearse gc tries to remove one namespace.
const undoBound = time.Minute

// noteNamespace writes down that a namespace is about to be made on a cluster that outlives the run.
func noteNamespace(j *journal.Journal, c cluster.Cluster, scope observe.Scope) (*journal.Entry, error) {
	return j.Begin(kindNamespace, c.Name()+"."+scope.Namespace, map[string]string{
		dataKubeconfig: c.KubeconfigPath(), dataName: scope.Namespace, dataRelease: scope.Release,
	})
}

// Undo is how rehearse gc removes what a killed run left on a cluster that outlived it.
func Undo() journal.Undo {
	return journal.Undo{Kind: kindNamespace, Apart: true, Remove: func(ctx context.Context, r journal.Record) error {
		path := r.Data[dataKubeconfig]
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil // the cluster is gone, and all in it
		}
		cfg, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			return fmt.Errorf("reaching the cluster of namespace %s: %w", r.Data[dataName], err)
		}
		ctx, cancel := context.WithTimeoutCause(ctx, undoBound, fmt.Errorf("given up after %s", undoBound))
		defer cancel()
		return sweep(ctx, cfg, observe.Scope{Namespace: r.Data[dataName], Release: r.Data[dataRelease]})
	}}
}

// sweep removes a scenario's namespace and the cluster-scoped objects of its release, and waits until the namespace is
// gone.
func sweep(ctx context.Context, cfg *rest.Config, scope observe.Scope) error {
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("removing namespace %s: %w", scope.Namespace, err)
	}
	if err := strike(ctx, cfg, client, scope); err != nil {
		return err
	}
	return awaitGone(ctx, client, scope.Namespace)
}

// strike deletes a scenario's namespace and the cluster-scoped objects of its release. The namespace needs some seconds
// more to go.
func strike(ctx context.Context, cfg *rest.Config, client kubernetes.Interface, scope observe.Scope) error {
	if err := deleteNamespace(ctx, client, scope.Namespace); err != nil {
		return err
	}
	return sweepClusterScoped(ctx, cfg, client.Discovery(), scope)
}

func deleteNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing namespace %s: %w", name, err)
	}
	return nil
}

// awaitGone watches until the namespace is gone.
func awaitGone(ctx context.Context, client kubernetes.Interface, name string) error {
	namespaces := client.CoreV1().Namespaces()
	for {
		list, err := namespaces.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
		if err != nil {
			return fmt.Errorf("waiting for namespace %s to go: %w", name, err)
		}
		if len(list.Items) == 0 {
			return nil
		}
		w, err := namespaces.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name, ResourceVersion: list.ResourceVersion})
		if err != nil {
			return fmt.Errorf("waiting for namespace %s to go: %w", name, err)
		}
		for e := range w.ResultChan() {
			if e.Type == "DELETED" {
				w.Stop()
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("namespace %s is still there; a finalizer may hold it: %w", name, context.Cause(ctx))
		}
	}
}

// sweepClusterScoped deletes the objects outside of namespaces that carry the release's marks.
func sweepClusterScoped(ctx context.Context, cfg *rest.Config, disco discovery.DiscoveryInterface, scope observe.Scope) error {
	client, err := metadata.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("removing cluster-scoped objects of release %s: %w", scope.Release, err)
	}
	// A group that cannot be discovered is one that is going away; the others still count.
	lists, err := disco.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return fmt.Errorf("removing cluster-scoped objects of release %s: %w", scope.Release, err)
	}
	deletable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists)
	var errs []error
	for _, list := range deletable {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return fmt.Errorf("removing cluster-scoped objects of release %s: %w", scope.Release, err)
		}
		for _, r := range list.APIResources {
			if !r.Namespaced {
				errs = append(errs, sweepResource(ctx, client.Resource(gv.WithResource(r.Name)), r.Kind, scope))
			}
		}
	}
	return errors.Join(errs...)
}

func sweepResource(ctx context.Context, client metadata.ResourceInterface, kind string, scope observe.Scope) error {
	list, err := client.List(ctx, metav1.ListOptions{})
	if err := ignoreGone(err); err != nil {
		return fmt.Errorf("removing objects of kind %s of release %s: %w", kind, scope.Release, err)
	}
	if list == nil {
		return nil
	}
	for _, item := range list.Items {
		marks := item.GetAnnotations()
		if marks["meta.helm.sh/release-name"] != scope.Release || marks["meta.helm.sh/release-namespace"] != scope.Namespace {
			continue
		}
		if err := ignoreGone(client.Delete(ctx, item.Name, metav1.DeleteOptions{})); err != nil {
			return fmt.Errorf("removing %s %s: %w", kind, item.Name, err)
		}
	}
	return nil
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return nil
	}
	return err
}
