package embedded

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

// podStages returns the stages for pods.
func podStages(t *testing.T) lifecycle.Lifecycle {
	t.Helper()
	set, err := loadStages()
	if err != nil {
		t.Fatal(err)
	}
	all, err := lifecycle.NewLifecycle(set[internalversion.StageResourceRef{APIGroup: "v1", Kind: "Pod"}])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// matching returns the names of the stages that apply to a pod.
func matching(t *testing.T, stages lifecycle.Lifecycle, pod *corev1.Pod) []string {
	t.Helper()
	found, err := stages.ListAllPossible(t.Context(), &lifecycle.Event{Labels: pod.Labels, Annotations: pod.Annotations, Data: pod})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, s := range found {
		names = append(names, s.Name())
	}
	return names
}

// podState is what the stages look at. Its String is read as a sentence in failures.
type podState struct {
	phase             corev1.PodPhase
	policy            corev1.RestartPolicy
	containers, ready corev1.ConditionStatus
	// gate is the status of the one readiness gate's condition; "none" means that there is no gate.
	gate                       corev1.ConditionStatus
	failing, deleted, finalize bool
	// image is "unpullable", or the reason for which the container waits, which has such an image then; else it has none.
	image string
}

func (s podState) String() string {
	return fmt.Sprintf("%s, restart %s, containers ready %q, ready %q, gate %q, failing %t, deleted %t, finalizer %t, image %q",
		s.phase, s.policy, s.containers, s.ready, s.gate, s.failing, s.deleted, s.finalize, s.image)
}

func (s podState) pod() *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: s.policy}, Status: corev1.PodStatus{Phase: s.phase}}
	if s.gate != "none" {
		pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}
	}
	for kind, status := range map[corev1.PodConditionType]corev1.ConditionStatus{corev1.ContainersReady: s.containers, corev1.PodReady: s.ready, gate: s.gate} {
		if status != "" && status != "none" {
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: status})
		}
	}
	if s.image != "" {
		pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "nowhere.invalid/app"}}
	}
	if s.image != "" && s.image != "unpullable" {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: s.image}},
		}}
	}
	if s.failing {
		pod.Annotations = map[string]string{"rehearse.dev/simulate": "fail"}
	}
	if s.deleted {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{}, ptr.To[int64](30)
		*pod.DeletionTimestamp = metav1.Unix(1, 0)
	}
	if s.finalize {
		pod.Finalizers = []string{"rehearse.dev/test"}
	}
	return pod
}

// TestStagesAreExclusive goes through all states of a pod: KWOK would choose at random between two stages that apply.
func TestStagesAreExclusive(t *testing.T) {
	t.Parallel()
	stages := podStages(t)
	statuses := []corev1.ConditionStatus{"", corev1.ConditionTrue, corev1.ConditionFalse}
	bools := []bool{false, true}
	count := 0
	for _, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed} {
		for _, policy := range []corev1.RestartPolicy{corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever} {
			for _, containers := range statuses {
				for _, ready := range statuses {
					for _, gate := range append(statuses, "none") {
						for i := range 32 {
							image := []string{"", "unpullable", "ErrImagePull", "ImagePullBackOff"}[i>>3]
							s := podState{phase, policy, containers, ready, gate, bools[i&1], bools[i>>1&1], bools[i>>2&1], image}
							count++
							if names := matching(t, stages, s.pod()); len(names) > 1 {
								t.Errorf("%s: %q", s, names)
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d states", count)
}

// TestStages names the stage that applies to each state that matters.
func TestStages(t *testing.T) {
	t.Parallel()
	stages := podStages(t)
	const yes, no = corev1.ConditionTrue, corev1.ConditionFalse
	always, never, onFailure := corev1.RestartPolicyAlways, corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure
	pending, running := corev1.PodPending, corev1.PodRunning
	for want, states := range map[string][]podState{
		"pod-start": {
			{phase: pending, policy: always, gate: "none"},
			{phase: pending, policy: never, gate: yes},
			{phase: running, policy: always, gate: "none", containers: no, ready: no}, // it fails no longer
		},
		"pod-ready": {
			{phase: running, policy: always, containers: yes, ready: no, gate: yes},
			{phase: running, policy: never, containers: yes, ready: no, gate: yes},
		},
		"pod-unready": {
			{phase: running, policy: always, containers: yes, ready: yes, gate: no},
			{phase: running, policy: always, containers: yes, ready: yes, gate: ""}, // the condition was removed
		},
		"pod-pull":         {{phase: pending, policy: always, gate: "none", image: "unpullable"}},
		"pod-pull-backoff": {{phase: pending, policy: always, gate: "none", containers: no, ready: no, image: "ErrImagePull"}},
		"pod-complete": {
			{phase: running, policy: never, containers: yes, ready: yes, gate: "none"},
			{phase: running, policy: onFailure, containers: yes, ready: yes, gate: yes},
		},
		"pod-fail":  {{phase: pending, policy: never, gate: "none", failing: true}, {phase: running, policy: never, containers: yes, ready: no, gate: no, failing: true}},
		"pod-crash": {{phase: pending, policy: always, gate: "none", failing: true}, {phase: running, policy: onFailure, containers: yes, ready: no, gate: no, failing: true}},
		"pod-stop":  {{phase: running, policy: always, gate: "none", containers: yes, ready: yes, deleted: true, finalize: true}},
		"pod-delete": {
			{phase: running, policy: always, gate: "none", containers: yes, ready: yes, deleted: true},
			{phase: pending, policy: always, gate: "none", deleted: true},
			{phase: corev1.PodSucceeded, policy: never, gate: "none", deleted: true, finalize: true},
		},
		"": {
			{phase: pending, policy: always, gate: "none", containers: no, ready: no, image: "ImagePullBackOff"},
			{phase: running, policy: always, gate: "none", containers: yes, ready: yes},
			{phase: running, policy: always, gate: no, containers: yes, ready: no},
			{phase: running, policy: never, gate: no, containers: yes, ready: no},
			{phase: running, policy: always, gate: "none", containers: no, ready: no, failing: true},
			{phase: corev1.PodSucceeded, policy: never, gate: "none"},
			{phase: corev1.PodFailed, policy: never, gate: "none", failing: true},
		},
	} {
		for _, s := range states {
			expected := []string{}
			if want != "" {
				expected = []string{want}
			}
			if got := matching(t, stages, s.pod()); !slices.Equal(got, expected) {
				t.Errorf("%s: %q, want %q", s, got, want)
			}
		}
	}
	confirmed := podState{phase: running, policy: always, gate: "none", deleted: true}.pod()
	confirmed.DeletionGracePeriodSeconds = ptr.To[int64](0)
	if got := strings.Join(matching(t, stages, confirmed), " "); got != "" {
		t.Errorf("a deletion that was confirmed already is confirmed again: %s", got)
	}
}
