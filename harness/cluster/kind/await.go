package kind

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// source lists and watches one kind of objects.
type source[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// await watches objects until lacks has nothing to say about them. An API server that has just started may fail a request
// or end a watch; then it begins again.
func await[L runtime.Object, T metav1.Object](ctx context.Context, from source[L], lacks func(all []T) string) error {
	ticker := time.NewTicker(apiPoll)
	defer ticker.Stop()
	for {
		missing, err := awaitOnce(ctx, from, lacks)
		if missing == "" && err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if err != nil && missing == "" {
				missing = err.Error()
			}
			return fmt.Errorf("wait for the cluster: %w (%s)", context.Cause(ctx), missing)
		}
	}
}

// awaitOnce does so with one watch. It returns what is missing when that ends.
func awaitOnce[L runtime.Object, T metav1.Object](ctx context.Context, from source[L], lacks func(all []T) string) (missing string, err error) {
	list, err := from.List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	all := map[string]T{}
	err = meta.EachListItem(list, func(o runtime.Object) error {
		if object, ok := o.(T); ok {
			all[object.GetName()] = object
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if missing = lacks(sorted(all)); missing == "" {
		return "", nil
	}
	at, err := meta.NewAccessor().ResourceVersion(list)
	if err != nil {
		return missing, err
	}
	w, err := from.Watch(ctx, metav1.ListOptions{ResourceVersion: at})
	if err != nil {
		return missing, err
	}
	defer w.Stop()
	for event := range w.ResultChan() { // ends with ctx
		object, ok := event.Object.(T)
		if !ok {
			return missing, fmt.Errorf("the API server ended the watch: %v", event.Object)
		}
		if all[object.GetName()] = object; event.Type == watch.Deleted {
			delete(all, object.GetName())
		}
		if missing = lacks(sorted(all)); missing == "" {
			return "", nil
		}
	}
	return missing, nil
}

// sorted returns the objects by name.
func sorted[T metav1.Object](all map[string]T) []T {
	var objects []T
	for _, name := range slices.Sorted(maps.Keys(all)) {
		objects = append(objects, all[name])
	}
	return objects
}
