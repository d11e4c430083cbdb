package fault

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/registry"
)

func taintNodeEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "taintNode",
		Summary:  "Puts a taint on a node.",
		Example:  "name: tainted\ntaintNode: {node: 1, key: maintenance, effect: NoSchedule}\n",
		NewSpec:  func() any { return &v1alpha1.TaintNode{} },
		Validate: validated(checkTaint),
		Code:     taintCode(),
	}
}

func taintCode() Code {
	c := wide(func(s *v1alpha1.TaintNode) breaker { return taint{s} })
	c.controller = func(spec any) string {
		s, _ := spec.(*v1alpha1.TaintNode)
		return taint{s}.controller()
	}
	return c
}

// The keys of a taint in an Undo.
const (
	undoKey    = "key"
	undoEffect = "effect"
)

// defaultTaint is the key that v1alpha1.TaintNode has by default.
const defaultTaint = "rehearse.dev/fault"

func checkTaint(s *v1alpha1.TaintNode) []registry.Problem {
	all := checkNode(s.NodeTarget)
	if problems := validation.IsQualifiedName(cmp.Or(s.Key, defaultTaint)); len(problems) > 0 {
		all = append(all, registry.Problem{Path: "key", Message: "is no key of a taint: " + problems[0]})
	}
	if problems := validation.IsValidLabelValue(s.Value); len(problems) > 0 {
		all = append(all, registry.Problem{Path: "value", Message: "is no value of a taint: " + problems[0]})
	}
	return all
}

// taint is a taint on a node.
type taint struct{ spec *v1alpha1.TaintNode }

// controller is the one that evicts.
func (t taint) controller() string {
	if t.spec != nil && t.spec.Effect == string(corev1.TaintEffectNoExecute) {
		return "taint-eviction-controller"
	}
	return ""
}

func (t taint) available(_ context.Context, s Site) error {
	if incomplete, ok := s.Cluster.(cluster.Incomplete); ok && t.controller() != "" {
		return incomplete.Lacks(t.controller())
	}
	return nil
}

func (t taint) aim(ctx context.Context, s Site) (Aim, error) {
	aim, node, err := aimAtNode(ctx, s, t.spec.NodeTarget)
	if err != nil {
		return aim, err
	}
	aim.Undo[undoKey] = cmp.Or(t.spec.Key, defaultTaint)
	aim.Undo[undoEffect] = cmp.Or(t.spec.Effect, string(corev1.TaintEffectNoSchedule))
	if hasTaint(node, aim.Undo[undoKey], corev1.TaintEffect(aim.Undo[undoEffect])) {
		return Aim{}, fmt.Errorf("%w: node %s has the taint %s:%s already", ErrNoTarget, node.Name, aim.Undo[undoKey], aim.Undo[undoEffect])
	}
	return aim, nil
}

func (t taint) inject(ctx context.Context, s *scene) error {
	return editNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{
			Key: s.Undo[undoKey], Value: t.spec.Value, Effect: corev1.TaintEffect(s.Undo[undoEffect]),
		})
	})
}

func (t taint) has(s *scene, n *corev1.Node) bool {
	return hasTaint(n, s.Undo[undoKey], corev1.TaintEffect(s.Undo[undoEffect]))
}

// propagated waits until the node is tainted. What that does to pods is for assertions to say.
func (t taint) propagated(ctx context.Context, s *scene) error {
	err := awaitNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) string {
		if !t.has(s, n) {
			return fmt.Sprintf("node %s is not tainted yet", n.Name)
		}
		return ""
	})
	if err == nil {
		s.fired(s.Targets[0], "tainted "+s.Undo[undoKey]+":"+s.Undo[undoEffect])
	}
	return err
}

func (t taint) recover(ctx context.Context, s *scene) error {
	return ignoreNotFound(editNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) {
		n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(have corev1.Taint) bool {
			return have.Key == s.Undo[undoKey] && string(have.Effect) == s.Undo[undoEffect]
		})
	}))
}

func (t taint) recovered(ctx context.Context, s *scene) error {
	return awaitNode(ctx, s.Site, s.Undo[undoNode], func(n *corev1.Node) string {
		if t.has(s, n) {
			return fmt.Sprintf("node %s is still tainted", n.Name)
		}
		return ""
	})
}
