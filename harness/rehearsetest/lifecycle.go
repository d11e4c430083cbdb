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

// worker is the role of all nodes but those of a control plane.
const worker = "worker"

// AddNode adds a worker, which is named by the node, and returns once pods can run on it.
func (e *E2ECluster) AddNode(ctx context.Context, node *types.Node, args ...string) error {
	resizable, err := e.resizable("AddNode", args)
	if err != nil {
		return err
	}
	if node.Role != "" && node.Role != worker {
		return fmt.Errorf("AddNode: %w: only workers can be added, not a node of role %q", ErrUnsupported, node.Role)
	}
	return resizable.AddNode(ctx, node.Name)
}

// RemoveNode removes a worker for good, with its pods.
func (e *E2ECluster) RemoveNode(ctx context.Context, node *types.Node, args ...string) error {
	resizable, err := e.resizable("RemoveNode", args)
	if err != nil {
		return err
	}
	return resizable.RemoveNode(ctx, node.Name)
}

func (e *E2ECluster) resizable(what string, args []string) (cluster.Resizable, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("%s: %w: it takes no arguments for a command, as %q", what, ErrUnsupported, args)
	}
	resizable, ok := e.running.(cluster.Resizable)
	if !ok {
		return nil, fmt.Errorf("%s before Create, or on a cluster whose nodes cannot be added or removed: %w", what, ErrUnsupported)
	}
	return resizable, nil
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
	out := types.Node{Name: node.Name, Role: worker, Cluster: e.running.Name(), State: NodeNotReady}
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
