package fault

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func stickFinalizerEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "stickFinalizer",
		Summary: "Puts a finalizer on an object that nobody removes, so that its deletion hangs.",
		Example: "name: stuck\nstickFinalizer: {object: ConfigMap/shop-config}\n",
		NewSpec: func() any { return &v1alpha1.StickFinalizer{} },
		Code:    code(func(s *v1alpha1.StickFinalizer) breaker { return &stuck{object: s.Object} }),
	}
}

// stuck is an object whose deletion does not end. It fires once for each object of that name whose deletion it holds up.
type stuck struct {
	object string
	held   once
}

func (*stuck) available(context.Context, Site) error { return nil }

func (k *stuck) aim(ctx context.Context, s Site) (Aim, error) {
	o, err := find(s, k.object)
	if err != nil {
		return Aim{}, err
	}
	live, err := o.client(s).Get(ctx, o.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return Aim{}, fmt.Errorf("%w: there is no %s", ErrNoTarget, k.object)
	case err != nil:
		return Aim{}, fmt.Errorf("reading %s: %w", k.object, err)
	case live.GetDeletionTimestamp() != nil:
		return Aim{}, fmt.Errorf("%w: %s is being deleted already, and takes no finalizer any more", ErrNoTarget, k.object)
	}
	return Aim{Targets: []evidence.Ref{refTo(live)}, Undo: o.undo()}, nil
}

func (*stuck) inject(ctx context.Context, s *scene) error {
	return editFinalizers(ctx, s.Site, undone(s.Undo), withFinalizer)
}

// propagated waits until the finalizer is there. It has fired once a deletion is held up.
func (k *stuck) propagated(ctx context.Context, s *scene) error {
	return k.await(ctx, s, true)
}

func (*stuck) await(ctx context.Context, s *scene, want bool) error {
	o := undone(s.Undo)
	return until(ctx, o.watch(s.Site), func(ctx context.Context) (string, error) {
		live, err := o.client(s.Site).Get(ctx, o.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) && !want:
			return "", nil
		case err != nil:
			return "", fmt.Errorf("reading %s %s: %w", o.Resource, o.name, err)
		case slices.Contains(live.GetFinalizers(), finalizer) != want:
			return fmt.Sprintf("%s %s has the finalizer %s: %t", o.Resource, o.name, finalizer, !want), nil
		}
		return "", nil
	})
}

func (k *stuck) hold(ctx context.Context, s *scene) error {
	return eachEvent(ctx, undone(s.Undo).watch(s.Site), func(e watch.Event) {
		if live, ok := e.Object.(*unstructured.Unstructured); ok {
			k.look(s, live)
		}
	})
}

// look counts a deletion that the finalizer holds up.
func (k *stuck) look(s *scene, live *unstructured.Unstructured) {
	if live.GetDeletionTimestamp() != nil && slices.Contains(live.GetFinalizers(), finalizer) && k.held.first(string(live.GetUID())) {
		s.fired(refTo(live), "its deletion is held up by the finalizer "+finalizer)
	}
}

// recover removes the finalizer; an object that was to be deleted is gone then.
func (k *stuck) recover(ctx context.Context, s *scene) error {
	o := undone(s.Undo)
	// A deletion at the very end of the operation may not have been seen by hold.
	if live, err := o.client(s.Site).Get(ctx, o.name, metav1.GetOptions{}); err == nil {
		k.look(s, live)
	}
	return ignoreNotFound(editFinalizers(ctx, s.Site, o, withoutFinalizer))
}

func (k *stuck) recovered(ctx context.Context, s *scene) error { return k.await(ctx, s, false) }
