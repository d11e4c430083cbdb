package rehearsetest

import (
	"context"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rehearse.dev/rehearse/harness/cluster"
)

var _ types.E2EClusterProviderWithLifeCycle = (*E2ECluster)(nil)

// The states of a node in ListNode.
const (
	NodeReady    = "Ready"
	NodeNotReady = "NotReady"
)

// AddNode is not supported: a cluster has the nodes that it was made with.
func (e *E2ECluster) AddNode(context.Context, *types.Node, ...string) error {
	return fmt.Errorf("AddNode: %w", ErrUnsupported)
}

// RemoveNode is not supported: a cluster has the nodes that it was made with.
func (e *E2ECluster) RemoveNode(context.Context, *types.Node, ...string) error {
	return fmt.Errorf("RemoveNode: %w", ErrUnsupported)
}

// StopNode ends a node at once, as a power cut would. The cluster notices by itself, after a while.
func (e *E2ECluster) StopNode(ctx context.Context, node *types.Node, _ ...string) error {
	breakable, err := e.breakable("StopNode")
	if err != nil {
		return err
	}
	return breakable.KillNode(ctx, node.Name)
}

// StartNode starts a node that StopNode has ended.
func (e *E2ECluster) StartNode(ctx context.Context, node *types.Node, _ ...string) error {
	breakable, err := e.breakable("StartNode")
	if err != nil {
		return err
	}
	return breakable.StartNode(ctx, node.Name)
}

func (e *E2ECluster) breakable(what string) (cluster.Breakable, error) {
	breakable, ok := e.running.(cluster.Breakable)
	if !ok {
		return nil, fmt.Errorf("%s before Create, or on a cluster whose nodes cannot be stopped: %w", what, ErrUnsupported)
	}
	return breakable, nil
}

// ListNode lists the nodes as the API server knows them, by name.
func (e *E2ECluster) ListNode(ctx context.Context, _ ...string) ([]types.Node, error) {
	if e.running == nil {
		return nil, fmt.Errorf("ListNode before Create: %w", ErrUnsupported)
	}
	client, err := kubernetes.NewForConfig(e.running.RESTConfig())
	if err != nil {
		return nil, err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the nodes of cluster %s: %w", e.running.Name(), err)
	}
	var nodes []types.Node
	for i := range list.Items {
		nodes = append(nodes, e.describe(&list.Items[i]))
	}
	return nodes, nil
}

func (e *E2ECluster) describe(node *corev1.Node) types.Node {
	out := types.Node{Name: node.Name, Role: "worker", Cluster: e.running.Name(), State: NodeNotReady}
	if _, ok := node.Labels["node-role.kubernetes.io/control-plane"]; ok {
		out.Role = "control-plane"
	}
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP && out.IP == nil {
			out.IP = net.ParseIP(address.Address)
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			out.State = NodeReady
		}
	}
	return out
}
