package readiness

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// How often, and for how long, a gate is tried for: an API server may be busy, restart, or be away for a while because
// that is what is rehearsed. One that has just been started refuses (403) until it has read its roles.
const (
	gateRetry    = 50 * time.Millisecond
	gatePatience = 30 * time.Second
)

// setGate writes the gate's condition. The uid makes sure that it is this pod's, not one's of the same name.
func (c *Controller) setGate(ctx context.Context, pod *corev1.Pod, open bool) error {
	status := corev1.ConditionFalse
	if open {
		status = corev1.ConditionTrue
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status": map[string]any{"conditions": []corev1.PodCondition{{
			Type: Gate, Status: status, LastTransitionTime: metav1.Now(), Reason: "Rehearsal",
		}}},
	})
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, gateRetry, gatePatience, true, func(ctx context.Context) (bool, error) {
		_, last = c.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch,
			metav1.PatchOptions{FieldManager: manager}, "status")
		switch {
		case c.gone(ctx, pod, last):
			return false, errGone
		case apierrors.IsInvalid(last):
			return false, last
		}
		return last == nil, nil
	})
	if err != nil && last != nil && !errors.Is(err, errGone) {
		return last
	}
	return err
}

// errGone means that a pod is no longer there.
var errGone = errors.New("the pod is gone")

// gone reports whether an error means that the pod is no longer there, be there another of its name. A conflict says only
// that it may be: writers that race for one pod are told the same.
func (c *Controller) gone(ctx context.Context, pod *corev1.Pod, err error) bool {
	if !apierrors.IsConflict(err) {
		return apierrors.IsNotFound(err)
	}
	now, err := c.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil {
		return apierrors.IsNotFound(err)
	}
	return now.UID != pod.UID
}

func gated(pod *corev1.Pod) bool {
	for _, g := range pod.Spec.ReadinessGates {
		if g.ConditionType == Gate {
			return true
		}
	}
	return false
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
