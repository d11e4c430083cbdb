package kind

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
)

// apiPoll is how often the API server is asked whether it is ready: it cannot be watched before.
const apiPoll = 100 * time.Millisecond

// defaultClass marks the StorageClass of claims that name none.
const defaultClass = "storageclass.kubernetes.io/is-default-class"

// systemPods is how many static pods each control-plane node has: etcd, API server, controller manager, scheduler.
const systemPods = 4

// awaitAPI waits until the API server is ready, and returns its version.
func awaitAPI(ctx context.Context, client kubernetes.Interface) (version string, err error) {
	ticker := time.NewTicker(apiPoll)
	defer ticker.Stop()
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the API server: %w (last answer: %w)", context.Cause(ctx), err)
		}
	}
	info, err := discovery.ToServerVersionInterfaceWithContext(client.Discovery()).ServerVersionWithContext(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the API server for its version: %w", err)
	}
	return info.GitVersion, nil
}

// awaitReady waits for what kind itself does not wait for, or only warns of: Ready nodes, a default StorageClass, running
// system pods, controllers that work.
func (c *Cluster) awaitReady(ctx context.Context, client *kubernetes.Clientset, want int) error {
	controlPlanes := 0
	err := await(ctx, client.CoreV1().Nodes(), func(nodes []*corev1.Node) string {
		controlPlanes = 0
		var missing []string
		for _, node := range nodes {
			if !nodeReady(node) {
				missing = append(missing, node.Name)
			}
			if _, is := node.Labels["node-role.kubernetes.io/control-plane"]; is {
				controlPlanes++
			}
		}
		return lacking(want, len(nodes), "nodes Ready", missing)
	})
	if err != nil {
		return err
	}
	if err := await(ctx, client.StorageV1().StorageClasses(), hasDefaultClass); err != nil {
		return err
	}
	err = await(ctx, client.CoreV1().Pods(metav1.NamespaceSystem), func(pods []*corev1.Pod) string {
		return systemLacks(pods, controlPlanes)
	})
	if err != nil {
		return err
	}
	if err := await(ctx, client.CoordinationV1().Leases(metav1.NamespaceSystem), leadersLack); err != nil {
		return err
	}
	return await(ctx, client.CoreV1().ServiceAccounts(metav1.NamespaceDefault), accountLacks)
}

// systemLacks tells what the pods of kube-system lack. Those of the control plane only have to run: kubeadm gives them
// startup probes that ask after ten seconds for the first time. What they do is looked at instead.
func systemLacks(pods []*corev1.Pod, controlPlanes int) string {
	var missing []string
	for _, pod := range pods {
		_, static := pod.Annotations[corev1.MirrorPodAnnotationKey]
		if !podReady(pod) && (!static || pod.Status.Phase != corev1.PodRunning) {
			missing = append(missing, pod.Name)
		}
	}
	return lacking(systemPods*controlPlanes, len(pods), "pods of kube-system ready", missing)
}

// leadersLack tells which of the components that elect a leader have none: nothing would be scheduled or controlled.
func leadersLack(leases []*coordinationv1.Lease) string {
	missing := []string{"kube-controller-manager", "kube-scheduler"}
	for _, lease := range leases {
		if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == lease.Name })
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "no leader of " + strings.Join(missing, ", ")
}

// accountLacks tells whether the first namespace has its ServiceAccount, without which pods are refused.
func accountLacks(accounts []*corev1.ServiceAccount) string {
	if slices.ContainsFunc(accounts, func(a *corev1.ServiceAccount) bool { return a.Name == "default" }) {
		return ""
	}
	return "the namespace default has no ServiceAccount"
}

func hasDefaultClass(classes []*storagev1.StorageClass) string {
	for _, class := range classes {
		if class.Annotations[defaultClass] == "true" {
			return ""
		}
	}
	return "there is no default StorageClass"
}

// lacking says what is not there yet of things of which at least so many must be, and none that is not ready.
func lacking(want, have int, what string, missing []string) string {
	if have >= want && len(missing) == 0 {
		return ""
	}
	slices.Sort(missing)
	text := fmt.Sprintf("%d of %d %s", have-len(missing), max(want, have), what)
	if len(missing) > 0 {
		text += ", not " + strings.Join(missing, ", ")
	}
	return text
}

func nodeReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// podReady tells whether a pod is ready or has done its work.
func podReady(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
