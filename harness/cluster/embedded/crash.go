package embedded

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/cluster"
)

const (
	// everyContainer stands for all containers of a pod.
	everyContainer = ""
	// exitKilled is the exit code of a process that SIGKILL ended, exitLost that of one that went with its node.
	exitKilled, exitLost = 137, 255
)

func crashContainer(ctx context.Context, config *rest.Config, ref cluster.ContainerRef) error {
	client, err := kubernetes.NewForConfig(config)
	if err == nil {
		err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
			pod, err := client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Pod, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if !crash(pod, ref.Container, exitKilled) {
				return cluster.ErrNotRunning
			}
			_, err = client.CoreV1().Pods(ref.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{FieldManager: kubeletAgent})
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("crash container %s of pod %s/%s: %w", ref.Container, ref.Namespace, ref.Pod, err)
	}
	return nil
}

// crash makes a pod's status that of one whose container has just ended, or each of whose containers has, and reports
// whether any ran. The simulated kubelet takes it from there.
func crash(pod *corev1.Pod, container string, code int32) bool {
	now, crashed := metav1.Now(), false
	for i := range pod.Status.ContainerStatuses {
		c := &pod.Status.ContainerStatuses[i]
		if c.State.Running == nil || container != everyContainer && container != c.Name {
			continue
		}
		crashed = true
		ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: "Error", StartedAt: c.State.Running.StartedAt, FinishedAt: now,
		}}
		started := false
		c.State, c.Ready, c.Started = ended, false, &started
		if pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
			c.LastTerminationState = ended
			c.RestartCount++
		}
	}
	if !crashed {
		return false
	}
	reason := "ContainersNotReady"
	if pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
		pod.Status.Phase, reason = corev1.PodFailed, "PodFailed"
	}
	setCondition(pod, corev1.ContainersReady, corev1.ConditionFalse, &reason)
	setCondition(pod, corev1.PodReady, corev1.ConditionFalse, &reason)
	return true
}

// setCondition sets a condition that the pod has, and reports whether that changed it. A nil reason keeps the one it has.
func setCondition(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus, reason *string) bool {
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type != kind || c.Status == status {
			continue
		}
		c.Status, c.LastTransitionTime = status, metav1.Now()
		if reason != nil {
			c.Reason, c.Message = *reason, ""
		}
		return true
	}
	return false
}
