package readiness_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/readiness"
)

func span(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func gates(pod *corev1.Pod) int {
	n := 0
	for _, g := range pod.Spec.ReadinessGates {
		if g.ConditionType == readiness.Gate {
			n++
		}
	}
	return n
}

// TestGateOfEveryKind holds a pod of each kind of workload, and none of a workload without a rule.
func TestGateOfEveryKind(t *testing.T) {
	t.Parallel()
	kinds := []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"}
	var rules []v1alpha1.ReadinessRule
	for _, kind := range kinds {
		rules = append(rules, v1alpha1.ReadinessRule{Workload: kind + "/held", Never: true})
	}
	s := stage(t, rules...)
	for _, kind := range kinds {
		name := "held" // a Pod's and a Deployment's names do not clash with each other
		more := map[string]string{"Job": ", restartPolicy: Never"}[kind]
		s.create(kind, name, more)
	}
	s.create("Deployment", "free", "")
	s.pod("free-", func(p *corev1.Pod) bool { return ready(p) && gates(p) == 0 })
	found := map[string]bool{}
	s.pod("held", func(p *corev1.Pod) bool {
		owner := "Pod"
		if c := metav1.GetControllerOf(p); c != nil {
			owner = c.Kind
		}
		if running(p) && !ready(p) && gates(p) == 1 && p.Status.Phase == corev1.PodRunning {
			found[owner] = true
		}
		return len(found) == len(kinds)
	})
	for _, kind := range kinds {
		if !strings.Contains(s.sink.String(), kind+"/held held") {
			t.Errorf("no decision on %s: %s", kind, s.sink)
		}
	}
}

func TestOtherGatesAreKept(t *testing.T) {
	t.Parallel()
	s := stage(t, v1alpha1.ReadinessRule{Workload: "Pod/x", Never: true})
	s.create("Pod", "x", ", readinessGates: [{conditionType: example.com/other}]")
	s.pod("x", func(p *corev1.Pod) bool { return len(p.Spec.ReadinessGates) == 2 && gates(p) == 1 })
}

func TestDelay(t *testing.T) {
	t.Parallel()
	s := stage(t, v1alpha1.ReadinessRule{Workload: "StatefulSet/db", Delay: span(300 * time.Millisecond), Jitter: span(200 * time.Millisecond)})
	start := time.Now()
	s.create("StatefulSet", "db", "")
	s.pod("db-0", running)
	s.pod("db-0", ready)
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("ready after %s", took)
	}
	if got := s.sink.String(); got != "StatefulSet/db held, StatefulSet/db released" {
		t.Errorf("decisions: %s", got)
	}
	if after := s.sink.decisions[1].After; after < 300*time.Millisecond || after > 500*time.Millisecond {
		t.Errorf("released after %s", after)
	}
}

func TestJobCompletesOnlyWhenReleased(t *testing.T) {
	t.Parallel()
	s := stage(t, v1alpha1.ReadinessRule{Workload: "Job/migrate", Delay: span(300 * time.Millisecond)})
	s.create("Job", "migrate", ", restartPolicy: Never")
	pod := s.pod("migrate", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
	if condition(pod, readiness.Gate) != corev1.ConditionTrue {
		t.Error("the Job's pod completed behind its gate")
	}
}

func TestFlap(t *testing.T) {
	t.Parallel()
	flap := &v1alpha1.Flap{Ready: *span(200 * time.Millisecond), NotReady: *span(200 * time.Millisecond), Times: 2}
	s := stage(t, v1alpha1.ReadinessRule{Workload: "Deployment/web", Flap: flap})
	s.create("Deployment", "web", "")
	was, changes := false, 0
	s.pod("web-", func(p *corev1.Pod) bool {
		if ready(p) != was {
			was = !was
			changes++
		}
		return changes == 5
	})
	if got := strings.ReplaceAll(s.sink.String(), "Deployment/web ", ""); got != "released, withdrawn, released, withdrawn, released" {
		t.Errorf("decisions: %s", got)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	s := stage(t, v1alpha1.ReadinessRule{Workload: "Job/migrate", Fail: true}, v1alpha1.ReadinessRule{Workload: "Deployment/web", Fail: true})
	s.create("Job", "migrate", ", restartPolicy: Never")
	s.create("Deployment", "web", "")
	s.pod("migrate", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed })
	s.pod("web-", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount > 0 && !ready(p)
	})
	if got := s.sink.String(); !strings.Contains(got, "Job/migrate failed") || !strings.Contains(got, "Deployment/web failed") {
		t.Errorf("decisions: %s", got)
	}
}

// TestStepsDecide lets the same rules treat pods of different steps differently.
func TestStepsDecide(t *testing.T) {
	t.Parallel()
	s := stage(t,
		v1alpha1.ReadinessRule{Workload: "Pod/a", Never: true, Steps: []string{"v1"}},
		v1alpha1.ReadinessRule{Workload: "Pod/b", Never: true, Steps: []string{"v1"}},
		v1alpha1.ReadinessRule{Workload: "Job/migrate", Fail: true, Steps: []string{"v2"}})
	s.create("Pod", "a", "")
	s.pod("a", func(p *corev1.Pod) bool { return running(p) && !ready(p) })
	s.enter("v2")
	s.create("Pod", "b", "")
	s.pod("b", ready)
	s.create("Job", "migrate", ", restartPolicy: Never")
	s.pod("migrate", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed })
	s.pod("a", func(p *corev1.Pod) bool { return !ready(p) })
	s.enter("v3")
	s.create("Job", "migrate-2", ", restartPolicy: Never")
	s.pod("migrate-2", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
}

// TestStepInEffectAtOnce changes what fails many times over, and asks after each what becomes of a new pod.
func TestStepInEffectAtOnce(t *testing.T) {
	t.Parallel()
	s := stage(t, v1alpha1.ReadinessRule{Workload: "Pod/p", Fail: true, Steps: []string{"fail"}})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	for n := range 100 {
		for step, want := range map[string]string{"fail": "fail", "work": ""} {
			if err := s.controller.EnterStep(t.Context(), step); err != nil {
				t.Fatal(err)
			}
			made, err := client.CoreV1().Pods(s.namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Fatal(err)
			}
			if got := made.Annotations[readiness.SimulateAnnotation]; got != want {
				t.Fatalf("round %d, step %s: the pod is marked %q", n, step, got)
			}
		}
	}
}
