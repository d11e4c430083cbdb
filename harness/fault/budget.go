package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func blockEvictionsEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "blockEvictions",
		Summary:  "Forbids evictions of a workload's pods by a PodDisruptionBudget, so that drains and evictions of other faults wait.",
		Example:  "name: guarded\nblockEvictions: {workload: StatefulSet/db}\n",
		NewSpec:  func() any { return &v1alpha1.BlockEvictions{} },
		Validate: validated(checkBudget),
		Code:     code(func(s *v1alpha1.BlockEvictions) breaker { return &budget{workload: s.Workload} }),
	}
}

// scalable are the kinds whose pods a budget can count: those whose controller says how many there should be.
var scalable = []string{"Deployment", "StatefulSet", "ReplicaSet"}

func checkBudget(s *v1alpha1.BlockEvictions) []registry.Problem {
	if object, err := ref.Parse(s.Workload); err == nil && !slices.Contains(scalable, object.Kind) {
		return []registry.Problem{{
			Path: "workload", Message: fmt.Sprintf("no budget can be had for a %s; want one of %s", object.Kind, strings.Join(scalable, ", ")),
		}}
	}
	return nil
}

// budget is a disruption budget that allows no disruption. It fires once for each pod whose eviction it refuses. Those that
// the harness tries are all that are seen: a refusal is an answer to whoever asked, and is written down nowhere.
type budget struct {
	workload string
	selector *metav1.LabelSelector
}

func (*budget) available(context.Context, Site) error { return nil }

// aim finds the pods that the budget will be about.
func (b *budget) aim(ctx context.Context, s Site) (Aim, error) {
	all := 0
	aim, err := aimAtPods(ctx, s, v1alpha1.PodTarget{Workload: b.workload, Pods: &all})
	if err != nil {
		return Aim{}, err
	}
	if b.selector, err = selectorOf(ctx, s, b.workload); err != nil {
		return Aim{}, err
	}
	aim.Undo[undoName] = uniqueName(s, "budget")
	return aim, nil
}

// selectorOf is how a workload selects its pods.
func selectorOf(ctx context.Context, s Site, workload string) (*metav1.LabelSelector, error) {
	object, err := ref.Parse(workload)
	if err != nil {
		return nil, err
	}
	object = object.In(s.Namespace)
	apps, options := s.Client.AppsV1(), metav1.GetOptions{}
	var selector *metav1.LabelSelector
	switch object.Kind {
	case "Deployment":
		d, e := apps.Deployments(object.Namespace).Get(ctx, object.Name, options)
		selector, err = d.Spec.Selector, e
	case "StatefulSet":
		d, e := apps.StatefulSets(object.Namespace).Get(ctx, object.Name, options)
		selector, err = d.Spec.Selector, e
	default:
		d, e := apps.ReplicaSets(object.Namespace).Get(ctx, object.Name, options)
		selector, err = d.Spec.Selector, e
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", workload, err)
	}
	return selector, nil
}

func (b *budget) inject(ctx context.Context, s *scene) error {
	name, none := s.Undo[undoName], intstr.FromInt32(0)
	var seen sync.Map // how often an eviction is tried again is none of the budget's doing
	s.refusals.listen(name, func(pod evidence.Ref) {
		if _, before := seen.LoadOrStore(pod.UID, true); !before {
			s.fired(pod, "its eviction was refused")
		}
	})
	_, err := s.Client.PolicyV1().PodDisruptionBudgets(s.Namespace).Create(ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: b.selector},
	}, metav1.CreateOptions{FieldManager: userAgent})
	if err != nil {
		return fmt.Errorf("making the disruption budget: %w", err)
	}
	return nil
}

// propagated waits until the budget knows its pods. Before that the API server refuses evictions too, but for another reason.
func (*budget) propagated(ctx context.Context, s *scene) error {
	return until(ctx, s.watchBudget, func(ctx context.Context) (string, error) {
		have, err := s.Client.PolicyV1().PodDisruptionBudgets(s.Namespace).Get(ctx, s.Undo[undoName], metav1.GetOptions{})
		switch {
		case err != nil:
			return "", fmt.Errorf("reading the disruption budget: %w", err)
		case have.Status.ObservedGeneration < have.Generation || have.Status.ExpectedPods == 0:
			return "the disruption budget has not counted its pods yet", nil
		case have.Status.DisruptionsAllowed > 0:
			return fmt.Sprintf("the disruption budget allows %d disruptions", have.Status.DisruptionsAllowed), nil
		}
		return "", nil
	})
}

func (s *scene) watchBudget(ctx context.Context) (watch.Interface, error) {
	return s.Client.PolicyV1().PodDisruptionBudgets(s.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + s.Undo[undoName]})
}

func (*budget) recover(ctx context.Context, s *scene) error {
	err := s.Client.PolicyV1().PodDisruptionBudgets(s.Namespace).Delete(ctx, s.Undo[undoName], metav1.DeleteOptions{})
	if ignoreNotFound(err) != nil {
		return fmt.Errorf("taking the disruption budget %s away: %w", s.Undo[undoName], err)
	}
	s.refusals.listen(s.Undo[undoName], nil)
	return nil
}

// recovered waits until the budget is gone.
func (*budget) recovered(ctx context.Context, s *scene) error {
	return until(ctx, s.watchBudget, func(ctx context.Context) (string, error) {
		_, err := s.Client.PolicyV1().PodDisruptionBudgets(s.Namespace).Get(ctx, s.Undo[undoName], metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("reading the disruption budget: %w", err)
		}
		return "the disruption budget is still there", nil
	})
}

// budgetIn is the name of the disruption budget by which an eviction was refused; empty if it was not.
func budgetIn(err error) string {
	var status apierrors.APIStatus
	if !apierrors.IsTooManyRequests(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == policyv1.DisruptionBudgetCause {
			// "The disruption budget NAME needs 1 healthy pods and has 1 currently"
			_, after, _ := strings.Cut(cause.Message, "disruption budget ")
			name, _, _ := strings.Cut(after, " ")
			return name
		}
	}
	return ""
}
