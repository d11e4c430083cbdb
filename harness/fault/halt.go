package fault

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/registry"
)

func pauseNodeEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "pauseNode",
		Summary:  "Freezes a node with all that runs on it, its kubelet included.",
		Example:  "name: node-gone\npauseNode: {nodeOf: Deployment/backend}\n",
		NewSpec:  func() any { return &v1alpha1.PauseNode{} },
		Validate: validated(func(s *v1alpha1.PauseNode) []registry.Problem { return checkNode(s.NodeTarget) }),
		Code: wide(func(s *v1alpha1.PauseNode) breaker {
			return halt{s.NodeTarget, cluster.Breakable.PauseNode, cluster.Breakable.ResumeNode, "paused"}
		}),
	}
}

func killNodeEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "killNode",
		Summary:  "Ends a node at once, as a power cut would, and starts it again on recovery.",
		Example:  "name: power-cut\nafter: 1s\nkillNode: {node: 2}\n",
		NewSpec:  func() any { return &v1alpha1.KillNode{} },
		Validate: validated(func(s *v1alpha1.KillNode) []registry.Problem { return checkNode(s.NodeTarget) }),
		Code: wide(func(s *v1alpha1.KillNode) breaker {
			return halt{s.NodeTarget, cluster.Breakable.KillNode, cluster.Breakable.StartNode, "killed"}
		}),
	}
}

// halt is a node that does nothing any more.
type halt struct {
	target v1alpha1.NodeTarget
	stop   func(b cluster.Breakable, ctx context.Context, node string) error
	start  func(b cluster.Breakable, ctx context.Context, node string) error
	how    string
}

func (h halt) available(_ context.Context, s Site) error {
	_, err := s.breakable()
	return err
}

func (h halt) aim(ctx context.Context, s Site) (Aim, error) {
	aim, _, err := aimAtNode(ctx, s, h.target)
	return aim, err
}

func (h halt) inject(ctx context.Context, s *scene) error {
	b, err := s.breakable()
	if err != nil {
		return err
	}
	return h.stop(b, ctx, s.Undo[undoNode])
}

// propagated waits until the control plane has given the node up.
func (h halt) propagated(ctx context.Context, s *scene) error {
	err := awaitNode(ctx, s.Site, s.Undo[undoNode], func(node *corev1.Node) string {
		switch ready := readiness(node); {
		case ready == corev1.ConditionTrue:
			return fmt.Sprintf("node %s is still Ready", node.Name)
		case !hasTaint(node, corev1.TaintNodeUnreachable, "") && !hasTaint(node, corev1.TaintNodeNotReady, ""):
			return fmt.Sprintf("node %s is not tainted yet", node.Name)
		}
		return ""
	})
	if err == nil {
		s.fired(s.Targets[0], h.how)
	}
	return err
}

func (h halt) recover(ctx context.Context, s *scene) error {
	b, err := s.breakable()
	if err != nil {
		return err
	}
	return h.start(b, ctx, s.Undo[undoNode])
}

func (h halt) recovered(ctx context.Context, s *scene) error {
	return awaitNode(ctx, s.Site, s.Undo[undoNode], func(node *corev1.Node) string {
		switch ready := readiness(node); {
		case ready != corev1.ConditionTrue:
			return fmt.Sprintf("node %s is not Ready again", node.Name)
		case hasTaint(node, corev1.TaintNodeUnreachable, "") || hasTaint(node, corev1.TaintNodeNotReady, ""):
			return fmt.Sprintf("node %s is still tainted", node.Name)
		}
		return ""
	})
}
