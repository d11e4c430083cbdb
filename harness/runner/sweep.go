package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/release"
)

// The journal's kind of a scenario's namespace, and the data that undoing it needs.
const (
	kindNamespace  = "namespace"
	dataKubeconfig = "kubeconfig"
	dataName       = "name"
	dataRelease    = "release"
	dataElsewhere  = "elsewhere"
	dataMade       = "made"
	dataManagers   = "managers"
)

// undoBound is how long rehearse gc tries to remove one namespace.
const undoBound = time.Minute

// traces is what a scenario may leave on a cluster that outlives the run: its namespace, what carries its release's marks
// outside of namespaces and in those elsewhere, and what it is going to make there without marks, under these managers.
type traces struct {
	namespace, release string
	elsewhere          []string
	made               []ref.Ref
	managers           []string
}

// tracesOf finds out which of the objects that are to be made outside of the namespace, by actors or as hooks, are not there
// yet: those that are belong to somebody else. The definitions of a chart's folder crds are left, as Helm leaves them: other
// scenarios may rely on them.
func tracesOf(ctx context.Context, cfg *rest.Config, client kubernetes.Interface, scope observe.Scope, p plan.Plan) (traces, error) {
	t := traces{namespace: scope.Namespace, release: scope.Release}
	for _, r := range scope.Also {
		if r.Namespace != "" {
			t.elsewhere = append(t.elsewhere, r.Namespace)
		}
	}
	wanted := parsed(p.Elsewhere)
	t.managers = []string{release.DefaultFieldManager, p.Scenario.Spec.Release.FieldManager}
	for _, a := range p.Scenario.Spec.Actors {
		if a.Do.Kind == "create" || a.Do.Kind == "apply" {
			wanted = append(wanted, parsed(plan.Mentions(&v1alpha1.Spec{Actors: []v1alpha1.Actor{a}}))...)
			t.managers = append(t.managers, cmp.Or(a.Manager, a.Name))
		}
	}
	t.elsewhere, t.managers = each(t.elsewhere), each(t.managers)
	if len(wanted) == 0 {
		return t, nil
	}
	objects, err := metadata.NewForConfig(cfg)
	if err != nil {
		return t, err
	}
	served := map[ref.Ref]bool{}
	err = eachResource(client.Discovery(), func(gvr schema.GroupVersionResource, r metav1.APIResource) error {
		for _, w := range wanted {
			if !w.FitsKind(gvr.Group, r.Kind) {
				continue
			}
			served[w] = true
			if w.Namespace == "" && r.Namespaced {
				continue // it goes with the namespace
			}
			_, err := objects.Resource(gvr).Namespace(w.Namespace).Get(ctx, w.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				w.Group = gvr.Group
				t.made = append(t.made, w)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	for _, w := range wanted {
		if !served[w] { // so nothing of that kind is there
			t.made = append(t.made, w)
		}
	}
	return t, err
}

// note writes down that a namespace is about to be made.
func (t traces) note(j *journal.Journal, c cluster.Cluster) (*journal.Entry, error) {
	made := make([]string, len(t.made))
	for i, r := range t.made {
		made[i] = r.String()
	}
	return j.Begin(kindNamespace, c.Name()+"."+t.namespace, map[string]string{
		dataKubeconfig: c.KubeconfigPath(), dataName: t.namespace, dataRelease: t.release,
		dataElsewhere: strings.Join(t.elsewhere, ","), dataMade: strings.Join(made, ","), dataManagers: strings.Join(t.managers, ","),
	})
}

// noted are the traces that a journal's record tells of.
func noted(r journal.Record) traces {
	list := func(text string) []string {
		return strings.FieldsFunc(text, func(c rune) bool { return c == ',' })
	}
	return traces{
		namespace: r.Data[dataName], release: r.Data[dataRelease],
		elsewhere: list(r.Data[dataElsewhere]), made: parsed(list(r.Data[dataMade])), managers: list(r.Data[dataManagers]),
	}
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
		return noted(r).sweep(ctx, cfg)
	}}
}

// sweep removes the traces, and waits until the namespace is gone.
func (t traces) sweep(ctx context.Context, cfg *rest.Config) error {
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("removing namespace %s: %w", t.namespace, err)
	}
	if err := t.strike(ctx, cfg, client); err != nil {
		return err
	}
	return awaitGone(ctx, client, t.namespace)
}

// strike deletes the traces. The namespace needs some seconds more to go.
func (t traces) strike(ctx context.Context, cfg *rest.Config, client kubernetes.Interface) error {
	if err := deleteNamespace(ctx, client, t.namespace); err != nil {
		return err
	}
	return t.strikeOutside(ctx, cfg, client.Discovery())
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

// strikeOutside deletes what is left outside of the scenario's namespace.
func (t traces) strikeOutside(ctx context.Context, cfg *rest.Config, disco discovery.DiscoveryInterface) error {
	client, err := metadata.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("removing what release %s left outside of its namespace: %w", t.release, err)
	}
	var errs []error
	err = eachResource(disco, func(gvr schema.GroupVersionResource, r metav1.APIResource) error {
		places := []string{metav1.NamespaceAll}
		if r.Namespaced {
			places = t.elsewhere
		}
		for _, place := range places {
			errs = append(errs, t.strikeMarked(ctx, client.Resource(gvr).Namespace(place), r.Kind))
		}
		for _, made := range t.made {
			if made.FitsKind(gvr.Group, r.Kind) && (made.Namespace != "" || !r.Namespaced) {
				errs = append(errs, t.strikeMade(ctx, client.Resource(gvr).Namespace(made.Namespace), made))
			}
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// strikeMade deletes an object that was not there before, if one of the scenario's managers wrote it. One that is nothing but a
// name has no managers.
func (t traces) strikeMade(ctx context.Context, client metadata.ResourceInterface, made ref.Ref) error {
	object, err := client.Get(ctx, made.Name, metav1.GetOptions{})
	if err := ignoreGone(err); err != nil {
		return fmt.Errorf("removing %s: %w", made, err)
	}
	ours := func(e metav1.ManagedFieldsEntry) bool { return slices.Contains(t.managers, e.Manager) }
	if object == nil || len(object.ManagedFields) > 0 && !slices.ContainsFunc(object.ManagedFields, ours) {
		return nil
	}
	err = client.Delete(ctx, made.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &object.UID}})
	if ignoreGone(err) != nil && !apierrors.IsConflict(err) { // another one of that name has come
		return fmt.Errorf("removing %s: %w", made, err)
	}
	return nil
}

// eachResource calls do for every resource that can be listed and deleted.
func eachResource(disco discovery.DiscoveryInterface, do func(schema.GroupVersionResource, metav1.APIResource) error) error {
	// A group that cannot be discovered is one that is going away; the others still count.
	lists, err := disco.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return fmt.Errorf("asking what the cluster serves: %w", err)
	}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return fmt.Errorf("asking what the cluster serves: %w", err)
		}
		for _, r := range list.APIResources {
			if err := do(gv.WithResource(r.Name), r); err != nil {
				return err
			}
		}
	}
	return nil
}

// strikeMarked deletes the objects that carry the release's marks.
func (t traces) strikeMarked(ctx context.Context, client metadata.ResourceInterface, kind string) error {
	list, err := client.List(ctx, metav1.ListOptions{})
	if err := ignoreGone(err); err != nil {
		return fmt.Errorf("removing objects of kind %s of release %s: %w", kind, t.release, err)
	}
	if list == nil {
		return nil
	}
	for _, item := range list.Items {
		marks := item.GetAnnotations()
		if marks["meta.helm.sh/release-name"] != t.release || marks["meta.helm.sh/release-namespace"] != t.namespace {
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
