// Package forget removes nodes that will not come back from what the API server knows.
package forget

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// Node removes a node's object, and then its pods at once, as no kubelet is left that could say that they have ended. What
// the scheduler binds to the node in this very moment is removed by the pod garbage collector, within a minute or so.
func Node(ctx context.Context, client kubernetes.Interface, name string) error {
	if err := client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		return fmt.Errorf("list its pods: %w", err)
	}
	for _, pod := range pods.Items {
		now := metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0), Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
		err := client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, now)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) { // another pod of its name
			return fmt.Errorf("remove its pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}
