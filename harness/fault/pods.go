package fault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func deletePodEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "deletePod",
		Summary:  "Deletes pods of a workload.",
		Example:  "name: pod-gone\ndeletePod: {workload: StatefulSet/db}\n",
		NewSpec:  func() any { return &v1alpha1.DeletePod{} },
		Validate: validated(func(s *v1alpha1.DeletePod) []registry.Problem { return checkPods(s.PodTarget) }),
		Code: code(func(s *v1alpha1.DeletePod) breaker {
			return removal{s.PodTarget, "deleted", func(ctx context.Context, site Site, pod *corev1.Pod) error {
				return deletePod(ctx, site, pod, s.Grace)
			}}
		}),
	}
}

func evictPodEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "evictPod",
		Summary:  "Evicts pods of a workload through the Eviction API, which heeds disruption budgets: what one forbids is tried again.",
		Example:  "name: evicted\nevictPod: {workload: Deployment/backend, pods: 2}\n",
		NewSpec:  func() any { return &v1alpha1.EvictPod{} },
		Validate: validated(func(s *v1alpha1.EvictPod) []registry.Problem { return checkPods(s.PodTarget) }),
		Code:     code(func(s *v1alpha1.EvictPod) breaker { return removal{s.PodTarget, "evicted", evictPatiently} }),
	}
}

// podKinds are the kinds that have pods.
var podKinds = []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"}

func checkPods(t v1alpha1.PodTarget) []registry.Problem { return checkWorkload(t.Workload) }

func checkWorkload(workload string) []registry.Problem {
	if object, err := ref.Parse(workload); err == nil && !slices.Contains(podKinds, object.Kind) {
		return []registry.Problem{{
			Path: "workload", Message: fmt.Sprintf("%s has no pods of its own; want one of %s", object.Kind, strings.Join(podKinds, ", ")),
		}}
	}
	return nil
}

// undoWorkload is the key of a workload in an Undo.
const undoWorkload = "workload"

// aimAtPods finds the pods that a target means.
func aimAtPods(ctx context.Context, s Site, t v1alpha1.PodTarget) (Aim, error) {
	pods, err := podsOf(ctx, s, t.Workload)
	if err != nil {
		return Aim{}, err
	}
	want := 1
	if t.Pods != nil {
		want = *t.Pods
	}
	switch {
	case len(pods) == 0:
		return Aim{}, fmt.Errorf("%w: %s has no pod", ErrNoTarget, t.Workload)
	case want > len(pods):
		return Aim{}, fmt.Errorf("%w: %s has %d pods, fewer than the %d that are to break", ErrNoTarget, t.Workload, len(pods), want)
	case want > 0:
		pods = pods[:want]
	}
	aim := Aim{Undo: map[string]string{undoWorkload: t.Workload}}
	for _, pod := range pods {
		aim.Targets = append(aim.Targets, podRef(pod))
	}
	return aim, nil
}

// removal takes pods away. Their workload's controller makes new ones, so there is nothing to undo.
type removal struct {
	target v1alpha1.PodTarget
	how    string
	remove func(ctx context.Context, s Site, pod *corev1.Pod) error
}

func (removal) available(context.Context, Site) error { return nil }

func (r removal) aim(ctx context.Context, s Site) (Aim, error) { return aimAtPods(ctx, s, r.target) }

func (r removal) inject(ctx context.Context, s *scene) error {
	for _, target := range s.Targets {
		pod, err := pick(ctx, s.Site, target)
		if err != nil {
			return err
		}
		if pod == nil {
			continue // somebody else was faster
		}
		if err := r.remove(ctx, s.Site, pod); err != nil {
			return err
		}
		s.fired(target, r.how)
	}
	return nil
}

// propagated waits until every target is on its way out.
func (removal) propagated(ctx context.Context, s *scene) error {
	return until(ctx, s.watchPods, func(ctx context.Context) (string, error) {
		return firstAmiss(ctx, s, func(pod *corev1.Pod) string {
			if pod.DeletionTimestamp == nil {
				return fmt.Sprintf("pod %s is not being deleted", pod.Name)
			}
			return ""
		})
	})
}

func (removal) recover(context.Context, *scene) error { return nil }

// recovered waits until the targets are gone for good, but for those that a disruption budget has saved. Whether there are
// others instead is for assertions to say.
func (removal) recovered(ctx context.Context, s *scene) error {
	return until(ctx, s.watchPods, func(ctx context.Context) (string, error) {
		return firstAmiss(ctx, s, func(pod *corev1.Pod) string {
			if pod.DeletionTimestamp == nil {
				return ""
			}
			return fmt.Sprintf("pod %s is still there", pod.Name)
		})
	})
}

// firstAmiss looks at the targets that still exist, and says what is amiss with the first one with which anything is.
func firstAmiss(ctx context.Context, s *scene, amiss func(*corev1.Pod) string) (string, error) {
	for _, target := range s.Targets {
		pod, err := pick(ctx, s.Site, target)
		if err != nil {
			return "", err
		}
		if pod == nil {
			continue
		}
		if text := amiss(pod); text != "" {
			return text, nil
		}
	}
	return "", nil
}

// pick reads a target; nil if it is gone, be there another pod of its name.
func pick(ctx context.Context, s Site, target evidence.Ref) (*corev1.Pod, error) {
	pod, err := s.Client.CoreV1().Pods(target.Namespace).Get(ctx, target.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading pod %s/%s: %w", target.Namespace, target.Name, err)
	case string(pod.UID) != target.UID:
		return nil, nil
	}
	return pod, nil
}

func deletePod(ctx context.Context, s Site, pod *corev1.Pod, grace *metav1.Duration) error {
	options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	if grace != nil {
		seconds := int64(grace.Seconds())
		options.GracePeriodSeconds = &seconds
	}
	err := s.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// podRef names a pod in evidence.
func podRef(pod *corev1.Pod) evidence.Ref {
	return evidence.Ref{Version: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)}
}

// podsOf are a workload's pods that have not ended and are not being deleted, sorted by name.
func podsOf(ctx context.Context, s Site, workload string) ([]*corev1.Pod, error) {
	want, err := ref.Parse(workload)
	if err != nil {
		return nil, err
	}
	want = want.In(s.Namespace)
	list, err := s.Client.CoreV1().Pods(want.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of %s: %w", workload, err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		pod := &list.Items[i]
		if ref.OfPod(pod) == want.Kind+"/"+want.Name && pod.DeletionTimestamp == nil && !ended(pod) {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods, nil
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
