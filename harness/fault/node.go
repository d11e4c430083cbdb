package fault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

// undoNode is the key of a node's name in an Undo.
const undoNode = "node"

func checkNode(t v1alpha1.NodeTarget) []registry.Problem {
	switch {
	case t.Node == "" && t.NodeOf == "":
		return []registry.Problem{{Message: "names no node; state node or nodeOf"}}
	case t.Node != "" && t.NodeOf != "":
		return []registry.Problem{{Path: "nodeOf", Message: "names another node than node does; keep one of them"}}
	}
	if number, err := strconv.Atoi(t.Node); err == nil && number < 1 {
		return []registry.Problem{{Path: "node", Message: "is no number of a node; the first one is 1"}}
	}
	return nil
}

// aimAtNode finds the node that a target means.
func aimAtNode(ctx context.Context, s Site, t v1alpha1.NodeTarget) (Aim, *corev1.Node, error) {
	node, err := findNode(ctx, s, t)
	if err != nil {
		return Aim{}, nil, err
	}
	return Aim{Targets: []evidence.Ref{nodeRef(node)}, Undo: map[string]string{undoNode: node.Name}}, node, nil
}

func nodeRef(node *corev1.Node) evidence.Ref {
	return evidence.Ref{Version: "v1", Kind: "Node", Name: node.Name, UID: string(node.UID)}
}

func findNode(ctx context.Context, s Site, t v1alpha1.NodeTarget) (*corev1.Node, error) {
	list, err := s.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	nodes := list.Items
	slices.SortFunc(nodes, byNumber)
	name := t.Node
	if t.NodeOf != "" {
		pods, err := podsOf(ctx, s, t.NodeOf)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(pods, func(p *corev1.Pod) bool { return p.Spec.NodeName != "" })
		if i < 0 {
			return nil, fmt.Errorf("%w: no pod of %s runs on a node", ErrNoTarget, t.NodeOf)
		}
		name = pods[i].Spec.NodeName
	} else if number, err := strconv.Atoi(t.Node); err == nil {
		if number > len(nodes) {
			return nil, fmt.Errorf("%w: there is no node %d, as the cluster has %d", ErrNoTarget, number, len(nodes))
		}
		name = nodes[number-1].Name
	}
	i := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no node %s", ErrNoTarget, name)
	}
	return &nodes[i], nil
}

// byNumber puts workers before the nodes of the control plane, and worker2 before worker10.
func byNumber(a, b corev1.Node) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
}

func rank(n corev1.Node) int {
	if _, ok := n.Labels["node-role.kubernetes.io/control-plane"]; ok {
		return 1
	}
	return 0
}

// editNode changes a node, anew from the reading if somebody else has written in between.
func editNode(ctx context.Context, s Site, name string, edit func(*corev1.Node)) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		node, err := s.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		edit(node)
		_, err = s.Client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{FieldManager: userAgent})
		return err
	})
}

// awaitNode waits until nothing is amiss with a node.
func awaitNode(ctx context.Context, s Site, name string, amiss func(*corev1.Node) string) error {
	return until(ctx, s.watchNode(name), func(ctx context.Context) (string, error) {
		node, err := s.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("reading node %s: %w", name, err)
		}
		return amiss(node), nil
	})
}

func hasTaint(node *corev1.Node, key string, effect corev1.TaintEffect) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Key == key && (effect == "" || t.Effect == effect)
	})
}

// readiness is the status of the node's Ready condition.
func readiness(node *corev1.Node) corev1.ConditionStatus {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}
