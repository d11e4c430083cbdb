package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/cluster"
)

// TestFaults breaks nodes and containers, one after another on one cluster.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := boot(t, newProvider(t), cluster.Spec{Nodes: 2})
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, faultLab)
	}{
		{"a paused node loses its pods' readiness until it is resumed", testPause},
		{"a paused node's kubelet does nothing", testPausedKubelet},
		{"a killed node restarts its containers once it is started", testKill},
		{"a crashed container is restarted", testCrashOnce},
		{"a crashed container that is not restarted fails its pod", testCrashForGood},
		{"an image of an invalid registry is not pulled until it is replaced", testPull},
		{"nor is one of an init container", testPullInit},
		{"what is not there cannot be broken", testNothingToBreak},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace, err := client.CoreV1().Namespaces().Create(t.Context(),
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "faults-"}}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			test.run(t, faultLab{podLab{client, namespace.Name}, c})
		})
	}
}

// faultLab is a namespace of a cluster to break things in.
type faultLab struct {
	podLab
	cluster *Cluster
}

func (l faultLab) pod(t *testing.T, edit func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PodSpec{
		NodeName: nodeName(1), Containers: []corev1.Container{{Name: "app", Image: "img:1"}},
	}}
	edit(pod)
	pod, err := l.client.CoreV1().Pods(l.namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func asItIs(*corev1.Pod) {}

func (l faultLab) awaitNode(t *testing.T, what string, ok func(*corev1.Node) bool) *corev1.Node {
	t.Helper()
	return awaitObject(t, what, func(ctx context.Context) (watch.Interface, error) {
		return l.client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + nodeName(1)})
	}, ok)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testPause(t *testing.T, lab faultLab) {
	lab.pod(t, asItIs)
	before := lab.await(t, "Ready", isReady(corev1.ConditionTrue))
	must(t, lab.cluster.PauseNode(t.Context(), nodeName(1)))
	pod := lab.await(t, "not Ready", isReady(corev1.ConditionFalse))
	if conditionStatus(*pod, corev1.ContainersReady) != corev1.ConditionTrue {
		t.Error("the node lifecycle controller knows nothing of containers, but ContainersReady changed")
	}
	node := lab.awaitNode(t, "not Ready", func(n *corev1.Node) bool { return !nodeReady(n) })
	for _, c := range node.Status.Conditions {
		if c.Status != corev1.ConditionUnknown || c.Reason != kubeletGone {
			t.Errorf("condition %s is %s (%s)", c.Type, c.Status, c.Reason)
		}
	}
	if len(node.Spec.Taints) != 2 || node.Spec.Taints[0].Key != corev1.TaintNodeUnreachable {
		t.Errorf("taints %v", node.Spec.Taints)
	}
	events, err := lab.client.CoreV1().Events(lab.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=NodeNotReady"})
	if err != nil || len(events.Items) != 1 || events.Items[0].InvolvedObject.UID != pod.UID {
		t.Errorf("Events %v, %v", events, err)
	}
	must(t, lab.cluster.PauseNode(t.Context(), nodeName(1))) // as after a failed injection that is tried again

	must(t, lab.cluster.ResumeNode(t.Context(), nodeName(1)))
	pod = lab.await(t, "Ready again", isReady(corev1.ConditionTrue))
	if before.Status.ContainerStatuses[0].RestartCount != pod.Status.ContainerStatuses[0].RestartCount {
		t.Error("a pause has restarted the container")
	}
	lab.awaitNode(t, "Ready, without taints and label", func(n *corev1.Node) bool {
		_, labelled := n.Labels[haltedLabel]
		return nodeReady(n) && len(n.Spec.Taints) == 0 && !labelled
	})
}

func testPausedKubelet(t *testing.T, lab faultLab) {
	lab.pod(t, asItIs)
	lab.await(t, "Ready", isReady(corev1.ConditionTrue))
	must(t, lab.cluster.PauseNode(t.Context(), nodeName(1)))
	must(t, lab.client.CoreV1().Pods(lab.namespace).Delete(t.Context(), "x", metav1.DeleteOptions{}))
	lab.pod(t, func(p *corev1.Pod) { p.Name = "late" })
	lab.pod(t, func(p *corev1.Pod) { p.Name, p.Spec.NodeName = "elsewhere", nodeName(2) })
	// Once the other node's pod is Ready, the paused kubelet would have had time for its own.
	lab.await(t, "elsewhere is Ready", func(p *corev1.Pod) bool { return p.Name == "elsewhere" && isReady(corev1.ConditionTrue)(p) })
	time.Sleep(2 * lagging) // what must not happen cannot be awaited
	for name, right := range map[string]func(*corev1.Pod) bool{
		"x":    func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil },
		"late": func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodPending && p.Status.PodIP == "" },
	} {
		pod, err := lab.client.CoreV1().Pods(lab.namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || !right(pod) {
			t.Errorf("pod %s: %v, %v", name, pod.Status, err)
		}
	}
	must(t, lab.cluster.ResumeNode(t.Context(), nodeName(1)))
	lab.await(t, "late is Ready", func(p *corev1.Pod) bool { return p.Name == "late" && isReady(corev1.ConditionTrue)(p) })
	awaitDeleted(t, lab.podLab, "x")
}

// awaitDeleted waits until a pod is gone.
func awaitDeleted(t *testing.T, lab podLab, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	w, err := lab.client.CoreV1().Pods(lab.namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	must(t, err)
	defer w.Stop()
	if _, err := lab.client.CoreV1().Pods(lab.namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
		return
	}
	for event := range w.ResultChan() {
		if event.Type == watch.Deleted {
			return
		}
	}
	t.Fatalf("pod %s is still there", name)
}

func testKill(t *testing.T, lab faultLab) {
	lab.pod(t, asItIs)
	lab.await(t, "Ready", isReady(corev1.ConditionTrue))
	must(t, lab.cluster.KillNode(t.Context(), nodeName(1)))
	lab.await(t, "not Ready", isReady(corev1.ConditionFalse))
	must(t, lab.cluster.StartNode(t.Context(), nodeName(1)))
	pod := lab.await(t, "Ready again", isReady(corev1.ConditionTrue))
	status := pod.Status.ContainerStatuses[0]
	if status.RestartCount != 1 || status.State.Running == nil || status.LastTerminationState.Terminated == nil {
		t.Errorf("the container was not restarted: %+v", status)
	}
}

func testCrashOnce(t *testing.T, lab faultLab) {
	created := lab.pod(t, asItIs)
	lab.await(t, "Ready", isReady(corev1.ConditionTrue))
	ref := cluster.ContainerRef{Namespace: lab.namespace, Pod: created.Name, Container: "app", Node: nodeName(1)}
	w, err := lab.client.CoreV1().Pods(lab.namespace).Watch(t.Context(), metav1.ListOptions{})
	must(t, err)
	defer w.Stop()
	must(t, lab.cluster.CrashContainer(t.Context(), ref))
	crashed := false
	for event := range w.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			t.Fatalf("%v", event.Object)
		}
		status := pod.Status.ContainerStatuses
		if len(status) == 1 && status[0].State.Terminated != nil {
			crashed = status[0].State.Terminated.ExitCode == exitKilled && isReady(corev1.ConditionFalse)(pod) && status[0].RestartCount == 1
		}
		if crashed && isReady(corev1.ConditionTrue)(pod) {
			if status[0].RestartCount != 1 || status[0].State.Running == nil || status[0].State.Terminated != nil || status[0].LastTerminationState.Terminated == nil {
				t.Errorf("after the restart: %+v", status[0])
			}
			break
		}
	}
	ref.Container = "other"
	if err := lab.cluster.CrashContainer(t.Context(), ref); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("crash of a container that is not there: %v", err)
	}
}

func testCrashForGood(t *testing.T, lab faultLab) {
	// The gate keeps the pod, which is meant to end, running.
	lab.pod(t, func(p *corev1.Pod) {
		p.Spec.RestartPolicy = corev1.RestartPolicyNever
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}
	})
	lab.await(t, "running", func(p *corev1.Pod) bool { return conditionStatus(*p, corev1.ContainersReady) == corev1.ConditionTrue })
	must(t, lab.cluster.CrashContainer(t.Context(), cluster.ContainerRef{Namespace: lab.namespace, Pod: "x", Container: "app"}))
	lab.await(t, "Failed", func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodFailed && p.Status.ContainerStatuses[0].RestartCount == 0
	})
}

func testPull(t *testing.T, lab faultLab) {
	lab.pod(t, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.invalid/img:1" })
	waits := func(reason string) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			s := p.Status.ContainerStatuses
			return len(s) == 1 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == reason && p.Status.Phase == corev1.PodPending
		}
	}
	lab.await(t, "ErrImagePull", waits("ErrImagePull"))
	pod := lab.await(t, "ImagePullBackOff", waits("ImagePullBackOff"))
	pod.Spec.Containers[0].Image = "img:1"
	_, err := lab.client.CoreV1().Pods(lab.namespace).Update(t.Context(), pod, metav1.UpdateOptions{})
	must(t, err)
	pod = lab.await(t, "Ready", isReady(corev1.ConditionTrue))
	if s := pod.Status.ContainerStatuses[0]; s.State.Waiting != nil || s.Image != "img:1" {
		t.Errorf("after the pull: %+v", s)
	}
}

// testPullInit: a pod stays before its containers until the image of its init container can be pulled.
func testPullInit(t *testing.T, lab faultLab) {
	lab.pod(t, func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "img:1"}, {Name: "second", Image: "registry.invalid/img:1"}}
	})
	pod := lab.await(t, "ImagePullBackOff", func(p *corev1.Pod) bool {
		s := p.Status.InitContainerStatuses
		return len(s) == 2 && s[1].State.Waiting != nil && s[1].State.Waiting.Reason == pullBackOff
	})
	s := pod.Status
	if s.InitContainerStatuses[0].State.Terminated == nil || s.ContainerStatuses[0].State.Waiting.Reason != "PodInitializing" || conditionStatus(*pod, corev1.PodInitialized) != corev1.ConditionFalse {
		t.Errorf("while it waits: %+v", s)
	}
	pod.Spec.InitContainers[1].Image = "img:1"
	_, err := lab.client.CoreV1().Pods(lab.namespace).Update(t.Context(), pod, metav1.UpdateOptions{})
	must(t, err)
	pod = lab.await(t, "Ready", isReady(corev1.ConditionTrue))
	if conditionStatus(*pod, corev1.PodInitialized) != corev1.ConditionTrue || pod.Status.InitContainerStatuses[1].State.Terminated == nil {
		t.Errorf("after the pull: %+v", pod.Status)
	}
}

func testNothingToBreak(t *testing.T, lab faultLab) {
	for name, do := range map[string]func(context.Context, string) error{
		"halt node": lab.cluster.PauseNode, "resume node": lab.cluster.ResumeNode,
	} {
		if err := do(t.Context(), "node-9"); err == nil || !strings.Contains(err.Error(), name+" node-9") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := lab.cluster.Lacks("taint-eviction-controller"); !errors.Is(err, cluster.ErrUnsupported) {
		t.Errorf("taint eviction: %v", err)
	}
	if err := lab.cluster.Lacks("deployment-controller"); err != nil {
		t.Error(err)
	}
}
