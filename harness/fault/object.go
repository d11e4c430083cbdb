package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
)

// The keys of an object of any kind in an Undo.
const (
	undoGroup     = "group"
	undoVersion   = "version"
	undoResource  = "resource"
	undoNamespace = "namespace"
	undoName      = "name"
)

// finalizer is the one that this package puts on objects.
const finalizer = "rehearse.dev/stuck"

// object is where an object of any kind is.
type object struct {
	schema.GroupVersionResource
	namespace, name string
}

// undo is the object as an Undo holds it.
func (o object) undo() map[string]string {
	return map[string]string{
		undoGroup: o.Group, undoVersion: o.Version, undoResource: o.Resource, undoNamespace: o.namespace, undoName: o.name,
	}
}

// undone is the object that an Undo holds.
func undone(undo map[string]string) object {
	gvr := schema.GroupVersionResource{Group: undo[undoGroup], Version: undo[undoVersion], Resource: undo[undoResource]}
	return object{GroupVersionResource: gvr, namespace: undo[undoNamespace], name: undo[undoName]}
}

func (o object) client(s Site) dynamic.ResourceInterface {
	if o.namespace == "" {
		return s.Dynamic.Resource(o.GroupVersionResource)
	}
	return s.Dynamic.Resource(o.GroupVersionResource).Namespace(o.namespace)
}

// watch opens a watch of the object. It begins with the object as it is.
func (o object) watch(s Site) func(context.Context) (watch.Interface, error) {
	return func(ctx context.Context) (watch.Interface, error) {
		return o.client(s).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + o.name})
	}
}

// find finds out where the object is that a reference means. The object itself need not exist.
func find(s Site, reference string) (object, error) {
	want, err := ref.Parse(reference)
	if err != nil {
		return object{}, err
	}
	lists, err := s.Client.Discovery().ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return object{}, fmt.Errorf("asking what the API server serves: %w", err)
	}
	var found []object
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return object{}, fmt.Errorf("reading what the API server serves: %w", err)
		}
		for _, r := range list.APIResources {
			if !want.FitsKind(gv.Group, r.Kind) || strings.Contains(r.Name, "/") {
				continue
			}
			o := object{GroupVersionResource: gv.WithResource(r.Name), name: want.Name}
			if r.Namespaced {
				o.namespace = want.In(s.Namespace).Namespace
			}
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		return object{}, fmt.Errorf("%w: the cluster serves no kind %s", ErrNoTarget, want.Kind)
	}
	// The core group, which a reference cannot name, goes before all others.
	return slices.MinFunc(found, func(a, b object) int { return strings.Compare(a.Group, b.Group) }), nil
}

// refTo names an object in evidence.
func refTo(u *unstructured.Unstructured) evidence.Ref {
	gvk := u.GroupVersionKind()
	return evidence.Ref{
		Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID()),
	}
}

// editFinalizers changes the finalizers of an object, which keeps all else as it is.
func editFinalizers(ctx context.Context, s Site, o object, edit func([]string) []string) error {
	client := o.client(s)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := client.Get(ctx, o.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		before := live.GetFinalizers()
		after := edit(slices.Clone(before))
		if slices.Equal(before, after) {
			return nil
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"finalizers": after, "resourceVersion": live.GetResourceVersion(), "uid": live.GetUID(),
		}})
		if err != nil {
			return err
		}
		_, err = client.Patch(ctx, o.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: userAgent})
		return err
	})
	if err != nil {
		return fmt.Errorf("changing the finalizers of %s %s: %w", o.Resource, o.name, err)
	}
	return nil
}

func withFinalizer(all []string) []string {
	if slices.Contains(all, finalizer) {
		return all
	}
	return append(all, finalizer)
}

func withoutFinalizer(all []string) []string {
	return slices.DeleteFunc(all, func(f string) bool { return f == finalizer })
}

// once tells what was seen before from what was not.
type once struct {
	mu   sync.Mutex
	seen map[string]bool
}

// first reports whether key was never seen before.
func (t *once) first(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[key] {
		return false
	}
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[key] = true
	return true
}

// eachEvent watches until ctx ends, and calls do for every version that is seen.
func eachEvent(ctx context.Context, open func(context.Context) (watch.Interface, error), do func(watch.Event)) error {
	for ctx.Err() == nil {
		w, err := open(ctx)
		if err != nil {
			return err
		}
		for event := range w.ResultChan() {
			do(event)
		}
	}
	return nil
}
