package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/internal/forget"
)

var (
	_ cluster.Resizable = (*Cluster)(nil)
	_ cluster.Resizable = (*attached)(nil)
)

// adding keeps nodes that are added at the same time from getting the same addresses.
var adding sync.Mutex

// AddNode registers another node and returns once its simulated kubelet has made it Ready.
func (n nodes) AddNode(ctx context.Context, node string) error {
	fail := func(err error) error { return fmt.Errorf("add node %s: %w", node, err) }
	client, err := kubernetes.NewForConfig(kubeletConfig(n.config))
	if err != nil {
		return fail(err)
	}
	version, err := discovery.ToServerVersionInterfaceWithContext(client.Discovery()).ServerVersionWithContext(ctx)
	if err != nil {
		return fail(err)
	}
	adding.Lock()
	defer adding.Unlock()
	i, err := freeNumber(ctx, client, node)
	if err != nil {
		return fail(err)
	}
	err = createNode(ctx, client, node, i, version.GitVersion)
	if apierrors.IsAlreadyExists(err) { // since the look
		err = cluster.ErrNodeExists
	}
	if err != nil {
		return fail(err)
	}
	if err := awaitReady(ctx, client, node); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return fail(errors.Join(err, forget.Node(ctx, client, node)))
	}
	return nil
}

// freeNumber returns the lowest number whose pod addresses no node has, for a node that must not exist.
func freeNumber(ctx context.Context, client kubernetes.Interface, name string) (int, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	taken := map[string]bool{}
	for _, node := range list.Items {
		if node.Name == name {
			return 0, cluster.ErrNodeExists
		}
		taken[node.Spec.PodCIDR] = true
	}
	for i := 1; i <= maxNodes; i++ {
		if !taken[podCIDR(i)] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("there are %d nodes, which is as many as have addresses for pods", maxNodes)
}

// RemoveNode removes a node and its pods.
func (n nodes) RemoveNode(ctx context.Context, node string) error {
	fail := func(err error) error { return fmt.Errorf("remove node %s: %w", node, err) }
	client, err := kubernetes.NewForConfig(n.config)
	if err != nil {
		return fail(err)
	}
	if _, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{}); err != nil {
		return fail(err)
	}
	if err := forget.Node(ctx, client, node); err != nil {
		return fail(err)
	}
	return nil
}
