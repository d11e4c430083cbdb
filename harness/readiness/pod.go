package readiness

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
)

// patience is for an API server that is busy or restarts.
var patience = wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Steps: 8, Jitter: 0.1}

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
	retriable := func(err error) bool {
		return ctx.Err() == nil && !gone(err) && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err)
	}
	return retry.OnError(patience, retriable, func() error {
		_, err := c.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch,
			metav1.PatchOptions{FieldManager: manager}, "status")
		return err
	})
}

// gone reports whether an error means that the pod is no longer there, be there another of its name.
func gone(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

func gated(pod *corev1.Pod) bool {
	for _, g := range pod.Spec.ReadinessGates {
		if g.ConditionType == Gate {
			return true
		}
	}
	return false
}
