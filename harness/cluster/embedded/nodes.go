package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// joinNodes starts the simulated kubelets, registers the nodes and waits until they are Ready.
func (c *Cluster) joinNodes(ctx context.Context, nodes int, clients clients) error {
	var err error
	if c.kubeletLog, err = os.OpenFile(filepath.Join(logsPath(c.dir), kubeletLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return fmt.Errorf("simulated kubelets: %w", err)
	}
	// They outlive the call that boots the cluster.
	lifetime, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.stopKubelets = cancel
	if err := startKubelets(lifetime, clients.kubelet, c.kubeletLog); err != nil {
		return err
	}
	if err := startVolumes(lifetime, clients.admin); err != nil {
		return err
	}
	for i := range nodes {
		if err := createNode(ctx, clients.kubelet, nodeName(i+1), i+1, c.version); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return awaitNodes(ctx, clients.admin, nodes)
}

// awaitNodes waits until as many nodes are Ready.
func awaitNodes(ctx context.Context, client kubernetes.Interface, want int) error {
	// Without a resource version the watch begins with what there is.
	w, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	defer w.Stop()
	ready := map[string]bool{}
	for len(ready) < want {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d nodes, of which %d are Ready: %w", want, len(ready), context.Cause(ctx))
		case event, ok := <-w.ResultChan():
			if !ok {
				return fmt.Errorf("wait for %d nodes, of which %d are Ready: the API server ended the watch", want, len(ready))
			}
			node, isNode := event.Object.(*corev1.Node)
			if isNode && event.Type != watch.Deleted && nodeReady(node) {
				ready[node.Name] = true
			}
		}
	}
	return nil
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
