package embedded

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The reasons for which a container waits whose image cannot be pulled, with what a kubelet says of them.
const (
	errImagePull = "ErrImagePull"
	pullBackOff  = "ImagePullBackOff"
)

// unpullable tells whether an image is of a registry below .invalid, where no name is ever found (RFC 2606).
func unpullable(image string) bool {
	host, _, _ := strings.Cut(image, "/")
	return strings.HasSuffix(host, ".invalid")
}

// initHeld tells whether a pod stays before its containers, since the image of an init container cannot be pulled.
func initHeld(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return unpullable(c.Image) })
}

// pullStatuses are the statuses, as JSON, of a pod's init containers, or else of its other ones, while an image cannot be
// pulled for a reason. Init containers run one after the other, so that those behind the one that waits wait for it.
func pullStatuses(pod corev1.Pod, init bool, reason string) (string, error) {
	containers, held := pod.Spec.Containers, initHeld(pod)
	if init {
		containers, held = pod.Spec.InitContainers, false
	}
	statuses := []corev1.ContainerStatus{}
	for _, c := range containers {
		started := false
		status := corev1.ContainerStatus{Name: c.Name, Image: c.Image, Started: &started}
		switch {
		case held:
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
		case unpullable(c.Image):
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: pullMessage(reason, c.Image)}
			held = init
		case init:
			status.Ready, status.ImageID = true, c.Image
			status.State.Terminated = &corev1.ContainerStateTerminated{Reason: "Completed"}
		default:
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
		}
		statuses = append(statuses, status)
	}
	content, err := json.Marshal(statuses)
	return string(content), err
}

func pullMessage(reason, image string) string {
	if reason == pullBackOff {
		return fmt.Sprintf("Back-off pulling image %q", image)
	}
	return fmt.Sprintf("failed to pull and unpack image %q: no such host", image)
}
