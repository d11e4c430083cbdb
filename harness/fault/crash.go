package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func crashContainerEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "crashContainer",
		Summary:  "Ends containers of running pods at once, again and again if it is told to; the kubelet restarts them.",
		Example:  "name: crashing\ncrashContainer: {workload: Deployment/backend, pods: 0, every: 1s}\n",
		NewSpec:  func() any { return &v1alpha1.CrashContainer{} },
		Validate: validated(func(s *v1alpha1.CrashContainer) []registry.Problem { return checkPods(s.PodTarget) }),
		Code:     code(func(s *v1alpha1.CrashContainer) breaker { return crash{s} }),
	}
}

// crash is containers that crash.
type crash struct{ spec *v1alpha1.CrashContainer }

func (crash) available(_ context.Context, s Site) error {
	_, err := s.breakable()
	return err
}

// aim notes how often each target has been restarted by now.
func (c crash) aim(ctx context.Context, s Site) (Aim, error) {
	aim, err := aimAtPods(ctx, s, c.spec.PodTarget)
	if err != nil {
		return aim, err
	}
	for _, target := range aim.Targets {
		pod, err := pick(ctx, s, target)
		if err != nil {
			return Aim{}, err
		}
		if pod == nil {
			continue
		}
		status := c.container(pod)
		if status == nil || status.State.Running == nil {
			return Aim{}, fmt.Errorf("%w: container %q of pod %s does not run", ErrNoTarget, c.spec.Container, pod.Name)
		}
		aim.Undo[restartsOf(target)] = strconv.Itoa(int(status.RestartCount))
	}
	return aim, nil
}

// restartsOf is the key, in an Undo, of how often a target had been restarted before.
func restartsOf(target evidence.Ref) string { return "restarts." + target.UID }

// container is the status of the container that is to crash; nil if the pod has none.
func (c crash) container(pod *corev1.Pod) *corev1.ContainerStatus {
	name := c.spec.Container
	if name == "" {
		name = pod.Spec.Containers[0].Name
	}
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == name {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

func (c crash) inject(ctx context.Context, s *scene) error { return c.crashRunning(ctx, s, s.Targets) }

// crashRunning crashes the container of each target in which it runs.
func (c crash) crashRunning(ctx context.Context, s *scene, targets []evidence.Ref) error {
	b, err := s.breakable()
	if err != nil {
		return err
	}
	for _, target := range targets {
		pod, err := pick(ctx, s.Site, target)
		if err != nil {
			return err
		}
		if pod == nil || pod.DeletionTimestamp != nil {
			continue
		}
		status := c.container(pod)
		if status == nil || status.State.Running == nil {
			continue
		}
		err = b.CrashContainer(ctx, cluster.ContainerRef{
			Namespace: pod.Namespace, Pod: pod.Name, Container: status.Name, Node: pod.Spec.NodeName, ID: status.ContainerID,
		})
		switch {
		case apierrors.IsNotFound(err), errors.Is(err, cluster.ErrNotRunning):
			continue // it has just gone
		case err != nil:
			return err
		}
		s.fired(target, "crashed "+status.Name)
	}
	return nil
}

// propagated waits until each target is seen to have been restarted.
func (c crash) propagated(ctx context.Context, s *scene) error {
	return until(ctx, s.watchPods, func(ctx context.Context) (string, error) {
		return firstAmiss(ctx, s, func(pod *corev1.Pod) string {
			status := c.container(pod)
			if status == nil || strconv.Itoa(int(status.RestartCount)) == s.Undo[restartsOf(podRef(pod))] && status.State.Terminated == nil {
				return fmt.Sprintf("pod %s was not restarted", pod.Name)
			}
			return ""
		})
	})
}

// hold crashes, at each interval, the pods that fit by then: those that were crashed first may be replaced meanwhile. What
// does not run this time does the next time.
func (c crash) hold(ctx context.Context, s *scene) error {
	if c.spec.Every == nil {
		return nil
	}
	ticker := time.NewTicker(c.spec.Every.Duration)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		aim, err := aimAtPods(ctx, s.Site, c.spec.PodTarget)
		if err == nil {
			err = c.crashRunning(ctx, s, aim.Targets)
		}
		if err != nil && !errors.Is(err, ErrNoTarget) && ctx.Err() == nil {
			return err
		}
	}
}

func (crash) recover(context.Context, *scene) error { return nil }

// recovered waits until no container of the workload waits for its restart. A kubelet may take its time for that.
func (c crash) recovered(ctx context.Context, s *scene) error {
	return until(ctx, s.watchPods, func(ctx context.Context) (string, error) {
		pods, err := podsOf(ctx, s.Site, s.Undo[undoWorkload])
		for _, pod := range pods {
			status := c.container(pod)
			if status != nil && status.RestartCount > 0 && status.State.Running == nil {
				return fmt.Sprintf("container %s of pod %s does not run again", status.Name, pod.Name), nil
			}
		}
		return "", err
	})
}
