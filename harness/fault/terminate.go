package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func terminateNamespaceEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "terminateNamespace",
		Summary: "Deletes the release's namespace and holds it in Terminating; on recovery it goes with all in it, and there is a new, empty one.",
		Example: "name: namespace-going\nterminateNamespace: {}\n",
		NewSpec: func() any { return &v1alpha1.TerminateNamespace{} },
		Code:    code(func(*v1alpha1.TerminateNamespace) breaker { return &termination{} }),
	}
}

const (
	// holdout is the ConfigMap whose finalizer keeps a namespace from going.
	holdout = "rehearse-holds-the-namespace"
	// undoLabels, undoAnnotations and undoIdentity are the keys in an Undo of what the new namespace gets.
	undoLabels      = "labels"
	undoAnnotations = "annotations"
	undoIdentity    = "identity"
)

// termination is a namespace that is being deleted. It fires when Helm is refused something for it, and when all that was
// in it has been deleted.
type termination struct {
	emptied once
	stop    func()
}

func (*termination) available(context.Context, Site) error { return nil }

func (*termination) aim(ctx context.Context, s Site) (Aim, error) {
	ns, err := s.Client.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return Aim{}, fmt.Errorf("%w: namespace %s is gone", ErrNoTarget, s.Namespace)
	case err != nil:
		return Aim{}, fmt.Errorf("reading namespace %s: %w", s.Namespace, err)
	case ns.DeletionTimestamp != nil:
		return Aim{}, fmt.Errorf("%w: namespace %s is terminating already", ErrNoTarget, s.Namespace)
	}
	undo := map[string]string{undoNamespace: ns.Name}
	if err := describe(undo, ns); err != nil {
		return Aim{}, err
	}
	if _, err := s.Client.RbacV1().ClusterRoles().Get(ctx, identityOf(ns.Name), metav1.GetOptions{}); err == nil {
		undo[undoIdentity] = identityOf(ns.Name)
	}
	return Aim{Targets: []evidence.Ref{namespaceRef(ns)}, Undo: undo}, nil
}

// describe puts into an Undo what a new namespace gets of this one.
func describe(undo map[string]string, ns *corev1.Namespace) error {
	own := maps.Clone(ns.Labels)
	delete(own, corev1.LabelMetadataName) // the API server's
	labels, err := json.Marshal(own)
	if err != nil {
		return err
	}
	annotations, err := json.Marshal(ns.Annotations)
	if err != nil {
		return err
	}
	undo[undoLabels], undo[undoAnnotations] = string(labels), string(annotations)
	return nil
}

func namespaceRef(ns *corev1.Namespace) evidence.Ref {
	return evidence.Ref{Version: "v1", Kind: "Namespace", Name: ns.Name, UID: string(ns.UID)}
}

func (t *termination) inject(ctx context.Context, s *scene) error {
	name := s.Undo[undoNamespace]
	t.stop = s.overhear(evidence.Request.Writes, func(a answer) {
		if a.status == http.StatusForbidden && a.says(name, "because it is being terminated") {
			s.firedAt(a.Request, s.Targets[0], a.String())
		}
	})
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: holdout, Finalizers: []string{finalizer}}}
	if _, err := s.Client.CoreV1().ConfigMaps(name).Create(ctx, held, metav1.CreateOptions{FieldManager: userAgent}); err != nil {
		return fmt.Errorf("making what holds namespace %s: %w", name, err)
	}
	if err := s.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", name, err)
	}
	return nil
}

// watchNamespace opens a watch of one namespace, which begins with it as it is.
func (s Site) watchNamespace(name string) func(context.Context) (watch.Interface, error) {
	return func(ctx context.Context) (watch.Interface, error) {
		return s.Client.CoreV1().Namespaces().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	}
}

// propagated waits until the namespace is terminating.
func (*termination) propagated(ctx context.Context, s *scene) error {
	name := s.Undo[undoNamespace]
	return until(ctx, s.watchNamespace(name), func(ctx context.Context) (string, error) {
		ns, err := s.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("reading namespace %s: %w", name, err)
		}
		if ns.Status.Phase != corev1.NamespaceTerminating {
			return fmt.Sprintf("namespace %s is %s", name, ns.Status.Phase), nil
		}
		return "", nil
	})
}

// hold watches for the namespace controller to have deleted what is in the namespace, which it says of itself.
func (t *termination) hold(ctx context.Context, s *scene) error {
	return eachEvent(ctx, s.watchNamespace(s.Undo[undoNamespace]), func(e watch.Event) {
		ns, ok := e.Object.(*corev1.Namespace)
		if ok && swept(ns) && t.emptied.first(string(ns.UID)) {
			s.fired(namespaceRef(ns), "all that was in it has been deleted, or is being")
		}
	})
}

func swept(ns *corev1.Namespace) bool {
	return slices.ContainsFunc(ns.Status.Conditions, func(c corev1.NamespaceCondition) bool {
		return c.Type == corev1.NamespaceDeletionContentFailure && c.Status == corev1.ConditionFalse
	})
}

// recover lets the namespace go, waits until it has gone, and makes a new one: nothing brings back one that terminates,
// nor what was in it.
func (t *termination) recover(ctx context.Context, s *scene) error {
	if t.stop != nil {
		t.stop()
	}
	name := s.Undo[undoNamespace]
	held := object{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("configmaps"), namespace: name, name: holdout}
	if err := ignoreNotFound(editFinalizers(ctx, s.Site, held, withoutFinalizer)); err != nil {
		return err
	}
	err := until(ctx, s.watchNamespace(name), func(ctx context.Context) (string, error) {
		ns, err := s.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("reading namespace %s: %w", name, err)
		case ns.DeletionTimestamp == nil:
			return "", nil // it was never deleted, or is the new one
		}
		// A step may have changed its annotations since, in which readiness rules are kept.
		if err := describe(s.Undo, ns); err != nil {
			return "", err
		}
		return fmt.Sprintf("namespace %s is still terminating", name), nil
	})
	if err != nil {
		return err
	}
	return renew(ctx, s, name)
}

// renew makes an empty namespace with the labels and annotations of the one that is gone.
func renew(ctx context.Context, s *scene, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := json.Unmarshal([]byte(s.Undo[undoLabels]), &ns.Labels); err != nil {
		return fmt.Errorf("reading the labels of namespace %s: %w", name, err)
	}
	if err := json.Unmarshal([]byte(s.Undo[undoAnnotations]), &ns.Annotations); err != nil {
		return fmt.Errorf("reading the annotations of namespace %s: %w", name, err)
	}
	_, err := s.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: userAgent})
	switch {
	case apierrors.IsAlreadyExists(err):
		// It was never deleted: nothing may stay of what was to hold it.
		err = ignoreNotFound(s.Client.CoreV1().ConfigMaps(name).Delete(ctx, holdout, metav1.DeleteOptions{}))
	case err == nil && s.Undo[undoIdentity] != "":
		_, err = Grant(ctx, s.Client, name)
	}
	if err != nil {
		return fmt.Errorf("making namespace %s anew: %w", name, err)
	}
	return nil
}

// recovered waits until there is a namespace that can be used.
func (*termination) recovered(ctx context.Context, s *scene) error {
	name := s.Undo[undoNamespace]
	return until(ctx, s.watchNamespace(name), func(ctx context.Context) (string, error) {
		ns, err := s.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("reading namespace %s: %w", name, err)
		}
		if ns.Status.Phase != corev1.NamespaceActive {
			return fmt.Sprintf("namespace %s is %s", name, ns.Status.Phase), nil
		}
		return "", nil
	})
}
