package fault

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func unpullableImageEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "unpullableImage",
		Summary:  "Gives a workload's pods images that cannot be pulled, as they are created; its own objects are left alone.",
		Example:  "name: no-image\nunpullableImage: {workload: Deployment/backend}\n",
		NewSpec:  func() any { return &v1alpha1.UnpullableImage{} },
		Validate: validated(func(s *v1alpha1.UnpullableImage) []registry.Problem { return checkWorkload(s.Workload) }),
		Code:     code(func(s *v1alpha1.UnpullableImage) breaker { return image{s.Workload} }),
	}
}

const (
	// unpullable begins the images that pods get instead of theirs, which follow it.
	unpullable = "unpullable.invalid/"
	// undoPolicy is the key of the policy's name in an Undo.
	undoPolicy = "policy"
	// probeEvery is short, because a step waits for it. There is nothing to watch: the API server's admission keeps its
	// own copies of policies.
	probeEvery = 10 * time.Millisecond
)

//go:embed policy.yaml
var policyTemplate string

// pullErrors are the reasons for which a container waits whose image cannot be had.
var pullErrors = []string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}

// image is a workload whose new pods cannot pull their images.
type image struct{ workload string }

func (image) available(ctx context.Context, s Site) error { return servesMutation(ctx, s) }

// aim names a policy, which is this fault's alone. The workload need not exist yet.
func (i image) aim(_ context.Context, s Site) (Aim, error) {
	object, err := ref.Parse(i.workload)
	if err != nil {
		return Aim{}, err
	}
	object = object.In(s.Namespace)
	target := evidence.Ref{Group: groupOf(object), Kind: object.Kind, Namespace: object.Namespace, Name: object.Name}
	return Aim{Targets: []evidence.Ref{target}, Undo: map[string]string{
		undoPolicy: strings.ToLower(object.Namespace + "." + object.Kind + "." + object.Name + ".unpullable.rehearse.dev"), undoWorkload: i.workload,
	}}, nil
}

// groupOf is the API group of a kind that has pods.
func groupOf(object ref.Ref) string {
	switch object.Kind {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet":
		return "apps"
	case "Job":
		return "batch"
	}
	return object.Group
}

func (image) inject(ctx context.Context, s *scene) error {
	target := s.Targets[0]
	return s.mutate(ctx, policyTemplate, "$NAMESPACE", target.Namespace, "$NAME", s.Undo[undoPolicy], "$WORKLOAD", target.String(), "$PREFIX", unpullable)
}

// propagated waits until the policy is in effect. It has fired once a pod's image could not be pulled.
func (image) propagated(ctx context.Context, s *scene) error {
	return s.awaitMutation(ctx, s.Undo[undoPolicy], true)
}

// hold watches for pods whose image cannot be pulled.
func (i image) hold(ctx context.Context, s *scene) error {
	seen := map[types.UID]bool{}
	for ctx.Err() == nil {
		w, err := s.watchPods(ctx)
		if err != nil {
			return err
		}
		for event := range w.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if reason := pullError(pod, ok); reason != "" && !seen[pod.UID] {
				seen[pod.UID] = true
				s.fired(podRef(pod), reason)
			}
		}
	}
	return nil
}

// pullError is the reason for which a pod waits for an image that this fault gave it; empty if it does not.
func pullError(pod *corev1.Pod, ok bool) string {
	if !ok || !bears(pod) {
		return ""
	}
	for _, c := range statusesOf(pod) {
		if c.State.Waiting != nil && slices.Contains(pullErrors, c.State.Waiting.Reason) {
			return c.State.Waiting.Reason
		}
	}
	return ""
}

// statusesOf are those of all containers that pull images when their pod starts.
func statusesOf(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// bears tells whether a pod has an image that cannot be pulled.
func bears(pod *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool {
		return strings.HasPrefix(c.Image, unpullable)
	})
}

// recover takes the policy away and gives the pods their own images.
func (image) recover(ctx context.Context, s *scene) error {
	if err := s.unmutate(ctx, s.Undo[undoPolicy]); err != nil {
		return err
	}
	return mend(ctx, s)
}

// mend gives pods their own images back. Of a pod, the image is what may be changed.
func mend(ctx context.Context, s *scene) error {
	pods, err := podsOf(ctx, s.Site, s.Undo[undoWorkload])
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if !bears(pod) {
			continue
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "spec": map[string]any{
			"containers": ownImages(pod.Spec.Containers), "initContainers": ownImages(pod.Spec.InitContainers),
		}})
		if err != nil {
			return err
		}
		_, err = s.Client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: userAgent})
		if ignoreNotFound(err) != nil {
			return fmt.Errorf("giving pod %s/%s its own images back: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

// container is what a patch says of one.
type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// ownImages are the images that containers had before the policy gave them others.
func ownImages(containers []corev1.Container) []container {
	own := []container{}
	for _, c := range containers {
		own = append(own, container{c.Name, strings.TrimPrefix(c.Image, unpullable)})
	}
	return own
}

// recovered waits until no pod waits for such an image any more.
func (i image) recovered(ctx context.Context, s *scene) error {
	return until(ctx, s.watchPods, func(ctx context.Context) (string, error) {
		pods, err := podsOf(ctx, s.Site, s.Undo[undoWorkload])
		for _, pod := range pods {
			for _, c := range statusesOf(pod) {
				if strings.HasPrefix(c.Image, unpullable) || c.State.Waiting != nil && slices.Contains(pullErrors, c.State.Waiting.Reason) {
					return fmt.Sprintf("pod %s still waits for its image", pod.Name), nil
				}
			}
		}
		return "", err
	})
}
