package fault

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func quotaEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "quota",
		Summary:  "Limits what the scenario's namespace may hold by a ResourceQuota.",
		Example:  "name: full\nquota: {hard: {pods: 4, count/configmaps: 3}}\n",
		NewSpec:  func() any { return &v1alpha1.Quota{} },
		Validate: validated(checkQuota),
		Code:     code(func(s *v1alpha1.Quota) breaker { return &quota{spec: s, seen: map[types.UID]bool{}} }),
	}
}

func checkQuota(s *v1alpha1.Quota) []registry.Problem {
	var all []registry.Problem
	for _, name := range slices.Sorted(maps.Keys(s.Hard)) {
		if _, err := resource.ParseQuantity(s.Hard[name]); err != nil {
			all = append(all, registry.Problem{Path: "hard." + name, Message: fmt.Sprintf("%q is no quantity, as 4 or 500m", s.Hard[name])})
		}
	}
	return all
}

// quota is a ResourceQuota. It fires once for each object whose controller it refuses a pod, be it tried again and again,
// once for each write that it refuses Helm, and once for each operation of another's that it refuses a write.
type quota struct {
	spec *v1alpha1.Quota
	stop func()

	mu sync.Mutex
	// seen are the objects whose controllers it refused something, as Events told.
	seen map[types.UID]bool
	// heard is set if Helm was refused a write in the operation under way.
	heard bool
}

func (*quota) available(context.Context, Site) error { return nil }

func (*quota) aim(_ context.Context, s Site) (Aim, error) {
	return aimAtNamespace(s, uniqueName(s, "quota")), nil
}

func (q *quota) inject(ctx context.Context, s *scene) error {
	hard := corev1.ResourceList{}
	for name, text := range q.spec.Hard {
		limit, err := resource.ParseQuantity(text)
		if err != nil {
			return fmt.Errorf("reading the limit of %s: %w", name, err)
		}
		hard[corev1.ResourceName(name)] = limit
	}
	q.stop = s.overhear(evidence.Request.Writes, func(a answer) {
		if a.status == http.StatusForbidden && a.says(exceeded(s)) {
			s.firedAt(a.Request, s.Targets[0], a.String())
			q.mu.Lock()
			q.heard = true
			q.mu.Unlock()
		}
	})
	_, err := s.Client.CoreV1().ResourceQuotas(s.Namespace).Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: s.Undo[undoName]}, Spec: corev1.ResourceQuotaSpec{Hard: hard},
	}, metav1.CreateOptions{FieldManager: userAgent})
	if err != nil {
		return fmt.Errorf("making the quota: %w", err)
	}
	return nil
}

// propagated waits until the quota controller has counted what is there, without which nothing is admitted or refused.
func (*quota) propagated(ctx context.Context, s *scene) error {
	return until(ctx, s.watchQuota, func(ctx context.Context) (string, error) {
		have, err := s.Client.CoreV1().ResourceQuotas(s.Namespace).Get(ctx, s.Undo[undoName], metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("reading the quota: %w", err)
		}
		for name, limit := range have.Spec.Hard {
			if known, ok := have.Status.Hard[name]; !ok || known.Cmp(limit) != 0 {
				return fmt.Sprintf("the quota's status knows no limit of %s yet (is it a resource that can be limited?)", name), nil
			}
		}
		return "", nil
	})
}

func (s *scene) watchQuota(ctx context.Context) (watch.Interface, error) {
	return s.Client.CoreV1().ResourceQuotas(s.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + s.Undo[undoName]})
}

// hold watches for Events of controllers whose writes the quota refused.
func (q *quota) hold(ctx context.Context, s *scene) error {
	for ctx.Err() == nil {
		w, err := s.Client.CoreV1().Events(s.Namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("watching Events: %w", err)
		}
		for change := range w.ResultChan() {
			if event, ok := change.Object.(*corev1.Event); ok {
				q.look(s, event)
			}
		}
	}
	return nil
}

// look counts an Event, if it tells of a refusal to somebody who was not counted yet.
func (q *quota) look(s *scene, event *corev1.Event) {
	if !strings.Contains(event.Message, exceeded(s)) {
		return
	}
	of := event.InvolvedObject
	q.mu.Lock()
	counted := q.seen[of.UID]
	q.seen[of.UID] = true
	q.mu.Unlock()
	if !counted {
		s.fired(evidence.Ref{
			Group: of.GroupVersionKind().Group, Version: of.GroupVersionKind().Version, Kind: of.Kind, Namespace: of.Namespace, Name: of.Name, UID: string(of.UID),
		}, event.Reason+": "+event.Message)
	}
}

// exceeded is what the API server says of a write that the quota refuses.
func exceeded(s *scene) string { return "exceeded quota: " + s.Undo[undoName] + "," }

// count counts a write of an actor's operation that was refused, which nothing tells of but its error. What Helm was
// refused is counted already, and may not be in the error of its operation at all.
func (q *quota) count(ctx context.Context, s *scene, outcome error) error {
	q.mu.Lock()
	heard := q.heard
	q.heard = false
	q.mu.Unlock()
	if outcome != nil && !heard {
		if _, said, refused := strings.Cut(outcome.Error(), exceeded(s)); refused {
			s.fired(s.Targets[0], "refused a write of the operation:"+said)
		}
	}
	list, err := s.Client.CoreV1().Events(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing Events: %w", err)
	}
	for i := range list.Items {
		q.look(s, &list.Items[i])
	}
	return nil
}

func (q *quota) recover(ctx context.Context, s *scene) error {
	if q.stop != nil {
		q.stop()
	}
	err := s.Client.CoreV1().ResourceQuotas(s.Namespace).Delete(ctx, s.Undo[undoName], metav1.DeleteOptions{})
	if ignoreNotFound(err) != nil {
		return fmt.Errorf("taking the quota %s away: %w", s.Undo[undoName], err)
	}
	return nil
}

// recovered waits until the quota is gone.
func (*quota) recovered(ctx context.Context, s *scene) error {
	return until(ctx, s.watchQuota, func(ctx context.Context) (string, error) {
		_, err := s.Client.CoreV1().ResourceQuotas(s.Namespace).Get(ctx, s.Undo[undoName], metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("reading the quota: %w", err)
		}
		return "the quota is still there", nil
	})
}
