package fault

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func cordonNodeEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "cordonNode",
		Summary:  "Makes a node unschedulable, as kubectl cordon does.",
		Example:  "name: cordoned\ncordonNode: {node: 1}\n",
		NewSpec:  func() any { return &v1alpha1.CordonNode{} },
		Validate: validated(func(s *v1alpha1.CordonNode) []registry.Problem { return checkNode(s.NodeTarget) }),
		Code:     wide(func(s *v1alpha1.CordonNode) breaker { return cordon{s.NodeTarget} }),
	}
}

func drainNodeEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "drainNode",
		Summary:  "Makes a node unschedulable and evicts its pods, but for those of DaemonSets, as kubectl drain does.",
		Example:  "name: drained\ndrainNode: {nodeOf: StatefulSet/db}\n",
		NewSpec:  func() any { return &v1alpha1.DrainNode{} },
		Validate: validated(func(s *v1alpha1.DrainNode) []registry.Problem { return checkNode(s.NodeTarget) }),
		Code:     wide(func(s *v1alpha1.DrainNode) breaker { return drain{cordon{s.NodeTarget}} }),
	}
}

// undoCordoned is the key of whether the node had been unschedulable before.
const undoCordoned = "cordoned"

// cordon is a node on which nothing is scheduled any more.
type cordon struct{ target v1alpha1.NodeTarget }

func (cordon) available(context.Context, Site) error { return nil }

func (c cordon) aim(ctx context.Context, s Site) (Aim, error) {
	aim, node, err := aimAtNode(ctx, s, c.target)
	if err == nil {
		aim.Undo[undoCordoned] = strconv.FormatBool(node.Spec.Unschedulable)
	}
	return aim, err
}

func (cordon) inject(ctx context.Context, s *scene) error {
	return editNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) { n.Spec.Unschedulable = true })
}

func (cordon) propagated(ctx context.Context, s *scene) error {
	err := awaitNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) string {
		if !n.Spec.Unschedulable {
			return fmt.Sprintf("node %s is still schedulable", n.Name)
		}
		return ""
	})
	if err == nil {
		s.fired(s.Targets[0], "cordoned")
	}
	return err
}

func (cordon) recover(ctx context.Context, s *scene) error {
	before := s.Undo[undoCordoned] == "true"
	return ignoreNotFound(editNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) { n.Spec.Unschedulable = before }))
}

func (cordon) recovered(ctx context.Context, s *scene) error {
	before := s.Undo[undoCordoned] == "true"
	return awaitNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) string {
		if n.Spec.Unschedulable != before {
			return fmt.Sprintf("node %s is still unschedulable", n.Name)
		}
		return ""
	})
}

// drain is a cordoned node whose pods are evicted.
type drain struct{ cordon }

// retryEviction is how often an eviction is tried again that a disruption budget forbids. There is nothing to watch: what
// is asked is whether the API server would allow it now.
const retryEviction = 500 * time.Millisecond

// propagated evicts, since that takes as long as disruption budgets want it to.
func (d drain) propagated(ctx context.Context, s *scene) error {
	if err := d.cordon.propagated(ctx, s); err != nil {
		return err
	}
	ticker := time.NewTicker(retryEviction)
	defer ticker.Stop()
	evicted := map[string]bool{}
	for {
		left, err := evictAll(ctx, s, evicted)
		if err != nil || left == "" {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", left, context.Cause(ctx))
		}
	}
}

// evictAll evicts the pods of the node that have not been yet, and says which one is still there.
func evictAll(ctx context.Context, s *scene, evicted map[string]bool) (left string, err error) {
	list, err := s.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + s.Undo[undoNode]})
	if err != nil {
		return "", fmt.Errorf("listing the pods of node %s: %w", s.Undo[undoNode], err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if staysOnDrain(pod) {
			continue
		}
		left = fmt.Sprintf("pod %s/%s is still on node %s", pod.Namespace, pod.Name, s.Undo[undoNode])
		if evicted[string(pod.UID)] {
			continue
		}
		switch err := evict(ctx, s.Site, pod); {
		case err == nil:
			evicted[string(pod.UID)] = true
			s.fired(podRef(pod), "evicted")
		case !apierrors.IsTooManyRequests(err):
			return "", err
		}
	}
	return left, nil
}

// staysOnDrain is what kubectl drain leaves: pods of DaemonSets, static pods, and those that have ended.
func staysOnDrain(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	_, static := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return static || owner != nil && owner.Kind == "DaemonSet" || ended(pod)
}

func evict(ctx context.Context, s Site, pod *corev1.Pod) error {
	err := s.Client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))},
	})
	if by := budgetIn(err); by != "" {
		s.refusals.tell(by, podRef(pod))
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("evicting pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// evictPatiently evicts a pod as soon as its disruption budget allows that.
func evictPatiently(ctx context.Context, s Site, pod *corev1.Pod) error {
	ticker := time.NewTicker(retryEviction)
	defer ticker.Stop()
	for {
		err := evict(ctx, s, pod)
		if !apierrors.IsTooManyRequests(err) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
