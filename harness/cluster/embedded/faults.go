package embedded

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/cluster"
)

var (
	_ cluster.Breakable  = (*Cluster)(nil)
	_ cluster.Breakable  = (*attached)(nil)
	_ cluster.Incomplete = (*Cluster)(nil)
	_ cluster.Incomplete = (*attached)(nil)
)

// haltedLabel of a node keeps its simulated kubelet from acting, whichever process that runs in: it manages nodes
// without the label only. Once the label is gone, it looks at all of the node's pods again, as a kubelet does.
const haltedLabel = "rehearse.dev/halted"

const (
	// nodeController is the field manager of what the node lifecycle controller would write; see PauseNode.
	nodeController = "kube-controller-manager"
	// kubeletGone is the reason that the node lifecycle controller gives.
	kubeletGone = "NodeStatusUnknown"
	// lagging is how long a simulated kubelet may take to notice that its node was halted. Its cache cannot be watched.
	lagging = 50 * time.Millisecond
)

// nodes breaks a cluster's nodes and containers through its API server, so that it does not matter whose process the
// cluster lives in.
type nodes struct{ config *rest.Config }

// PauseNode halts the node's simulated kubelet, and does to the node and its pods what the node lifecycle controller,
// which does not run here, does once a kubelet is silent: at once rather than after its grace period of 40 seconds.
// Nothing is evicted, as nothing is within the five minutes that pods tolerate an unreachable node by default.
func (n nodes) PauseNode(ctx context.Context, node string) error {
	return haltNode(ctx, n.config, node)
}

// ResumeNode lets the simulated kubelet go on and returns once the node is Ready.
func (n nodes) ResumeNode(ctx context.Context, node string) error {
	return resumeNode(ctx, n.config, node)
}

// KillNode looks like PauseNode to the API server.
func (n nodes) KillNode(ctx context.Context, node string) error { return haltNode(ctx, n.config, node) }

// StartNode is ResumeNode, but that the node's containers have ended and are restarted.
func (n nodes) StartNode(ctx context.Context, node string) error {
	return startNode(ctx, n.config, node)
}

// CrashContainer ends a container. The simulated kubelet restarts it without a back-off.
func (n nodes) CrashContainer(ctx context.Context, ref cluster.ContainerRef) error {
	return crashContainer(ctx, n.config, ref)
}

// Lacks names the controllers that are left out here.
func (nodes) Lacks(controller string) error { return Lacks(controller) }

// Lacks returns an error that wraps cluster.ErrUnsupported if embedded clusters run no controller of that name.
func Lacks(controller string) error {
	if slices.Contains(absentControllers, controller) {
		return fmt.Errorf("%w: an embedded cluster runs no %s", cluster.ErrUnsupported, controller)
	}
	return nil
}

func haltNode(ctx context.Context, config *rest.Config, name string) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("halt node %s: %w", name, err)
	}
	if err := labelHalted(ctx, client, name, `"true"`); err != nil {
		return fmt.Errorf("halt node %s: %w", name, err)
	}
	if err := taintUnreachable(ctx, client, name); err != nil {
		return fmt.Errorf("halt node %s: %w", name, err)
	}
	if err := loseStatus(ctx, client, name); err != nil {
		return fmt.Errorf("halt node %s: %w", name, err)
	}
	if err := losePods(ctx, client, name); err != nil {
		return fmt.Errorf("halt node %s: marking its pods: %w", name, err)
	}
	return nil
}

func resumeNode(ctx context.Context, config *rest.Config, name string) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("resume node %s: %w", name, err)
	}
	return resume(ctx, client, name)
}

func resume(ctx context.Context, client kubernetes.Interface, name string) error {
	if err := labelHalted(ctx, client, name, "null"); err != nil {
		return fmt.Errorf("resume node %s: %w", name, err)
	}
	if err := awaitReady(ctx, client, name); err != nil {
		return fmt.Errorf("resume node %s: %w", name, err)
	}
	err := editNode(ctx, client, name, func(node *corev1.Node) {
		node.Spec.Taints = withoutUnreachable(node.Spec.Taints)
	})
	if err != nil {
		return fmt.Errorf("resume node %s: taking its taints away: %w", name, err)
	}
	return nil
}

func startNode(ctx context.Context, config *rest.Config, name string) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("start node %s: %w", name, err)
	}
	pods, err := podsOn(ctx, client, name)
	if err != nil {
		return fmt.Errorf("start node %s: %w", name, err)
	}
	for _, pod := range pods {
		err := editPodStatus(ctx, client, pod, kubeletAgent, func(now *corev1.Pod) bool {
			return crash(now, everyContainer, exitLost)
		})
		if err != nil {
			return fmt.Errorf("start node %s: %w", name, err)
		}
	}
	return resume(ctx, client, name)
}

func labelHalted(ctx context.Context, client kubernetes.Interface, node, value string) error {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%s}}}`, haltedLabel, value)
	_, err := client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "rehearse"})
	return err
}

func editNode(ctx context.Context, client kubernetes.Interface, name string, edit func(*corev1.Node)) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		edit(node)
		_, err = client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{FieldManager: nodeController})
		return err
	})
}

func taintUnreachable(ctx context.Context, client kubernetes.Interface, name string) error {
	return editNode(ctx, client, name, func(node *corev1.Node) {
		now := metav1.Now()
		node.Spec.Taints = append(withoutUnreachable(node.Spec.Taints),
			corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule, TimeAdded: &now},
			corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute, TimeAdded: &now})
	})
}

func withoutUnreachable(taints []corev1.Taint) []corev1.Taint {
	var kept []corev1.Taint
	for _, t := range taints {
		if t.Key != corev1.TaintNodeUnreachable {
			kept = append(kept, t)
		}
	}
	return kept
}

// loseStatus makes the conditions Unknown that a kubelet reports.
func loseStatus(ctx context.Context, client kubernetes.Interface, name string) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for i := range node.Status.Conditions {
			c := &node.Status.Conditions[i]
			c.Status, c.Reason, c.Message = corev1.ConditionUnknown, kubeletGone, "Kubelet stopped posting node status."
			c.LastTransitionTime = metav1.Now()
		}
		_, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{FieldManager: nodeController})
		return err
	})
}

// losePods makes a node's pods not Ready, until two looks in a row find none that is: until it knows better, the
// simulated kubelet makes them Ready again.
func losePods(ctx context.Context, client kubernetes.Interface, node string) error {
	ticker := time.NewTicker(lagging)
	defer ticker.Stop()
	for quiet := 0; quiet < 2; quiet++ {
		pods, err := podsOn(ctx, client, node)
		if err != nil {
			return err
		}
		for _, pod := range pods {
			lost := false
			err := editPodStatus(ctx, client, pod, nodeController, func(now *corev1.Pod) bool {
				lost = setCondition(now, corev1.PodReady, corev1.ConditionFalse, nil)
				return lost
			})
			if err != nil {
				return err
			}
			if lost {
				quiet = -1
				noteNotReady(ctx, client, pod)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// noteNotReady writes the Event that the node lifecycle controller writes. Like there, it is no matter if it gets lost.
func noteNotReady(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) {
	now := metav1.Now()
	_, _ = client.CoreV1().Events(pod.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, GenerateName: pod.Name + "."},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		},
		Type: corev1.EventTypeWarning, Reason: "NodeNotReady", Message: "Node is not ready",
		Source: corev1.EventSource{Component: "node-controller"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{FieldManager: nodeController})
}

// awaitReady waits until the node is Ready.
func awaitReady(ctx context.Context, client kubernetes.Interface, name string) error {
	for {
		w, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
		if err != nil {
			return err
		}
		for event := range w.ResultChan() {
			if node, ok := event.Object.(*corev1.Node); ok && nodeReady(node) {
				w.Stop()
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for it to be Ready: %w", context.Cause(ctx))
		}
	}
}

func podsOn(ctx context.Context, client kubernetes.Interface, node string) ([]*corev1.Pod, error) {
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return nil, err
	}
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	return pods, nil
}

// editPodStatus writes a pod's status if edit changes it. A pod that is gone, be there another of its name, is left alone.
func editPodStatus(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, manager string, edit func(*corev1.Pod) bool) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil || now.UID != pod.UID || !edit(now) {
			return err
		}
		_, err = client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{FieldManager: manager})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
