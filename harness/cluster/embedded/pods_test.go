package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/eventually"
)

const gate = corev1.PodConditionType("rehearse.dev/held")

// TestPods shows what simulated pods do, all on one cluster.
func TestPods(t *testing.T) {
	t.Parallel()
	c := boot(t, newProvider(t), cluster.Spec{})
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	// One after another, as a parallel subtest would outlive this function's deferred work and the cluster is fast.
	for name, test := range map[string]func(*testing.T, podLab){
		"a deployment becomes ready, in pods that look real": testDeployment,
		"a gate holds Ready back, and takes it away again":   testGate,
		"a job completes": testJob,
		"a gated job completes only once its gate is open":      testGatedJob,
		"a job told to fail fails":                              testFailedJob,
		"a pod told to fail crashes, and recovers":              testCrash,
		"a finalizer holds a deleted pod, whose containers end": testFinalizer,
		"a stateful set gets its volumes, and gives them back":  testVolumes,
	} {
		t.Run(name, func(t *testing.T) {
			namespace, err := client.CoreV1().Namespaces().Create(t.Context(),
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "pods-"}}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			test(t, podLab{client, namespace.Name})
		})
	}
}

// podLab is a namespace to try pods in.
type podLab struct {
	client    kubernetes.Interface
	namespace string
}

var labels = map[string]string{"app": "x"}

func podTemplate(edit ...func(*corev1.PodTemplateSpec)) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "init", Image: "busybox"}},
			Containers:     []corev1.Container{{Name: "main", Image: "nginx:1"}},
		},
	}
	for _, e := range edit {
		e(&template)
	}
	return template
}

func gated(p *corev1.PodTemplateSpec) {
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}
}

func failing(p *corev1.PodTemplateSpec) { p.Annotations["rehearse.dev/simulate"] = "fail" }

func (l podLab) deployment(t *testing.T, replicas int32, template corev1.PodTemplateSpec) {
	t.Helper()
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "x"},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}
	if _, err := l.client.AppsV1().Deployments(l.namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l podLab) job(t *testing.T, policy corev1.RestartPolicy, template corev1.PodTemplateSpec) {
	t.Helper()
	template.Spec.RestartPolicy = policy
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "x"},
		Spec:       batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: template},
	}
	if _, err := l.client.BatchV1().Jobs(l.namespace).Create(t.Context(), j, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// await watches pods until one is as wanted.
func (l podLab) await(t *testing.T, what string, ok func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	return awaitObject(t, what, func(ctx context.Context) (watch.Interface, error) {
		return l.client.CoreV1().Pods(l.namespace).Watch(ctx, metav1.ListOptions{})
	}, ok)
}

func (l podLab) awaitJob(t *testing.T, kind batchv1.JobConditionType) {
	t.Helper()
	awaitObject(t, "job is "+string(kind), func(ctx context.Context) (watch.Interface, error) {
		return l.client.BatchV1().Jobs(l.namespace).Watch(ctx, metav1.ListOptions{})
	}, func(j *batchv1.Job) bool {
		for _, c := range j.Status.Conditions {
			if c.Type == kind && c.Status == corev1.ConditionTrue {
				return true
			}
		}
		return false
	})
}

func awaitObject[T any](t *testing.T, what string, open func(context.Context) (watch.Interface, error), ok func(T) bool) (found T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	w, err := open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		object, isT := event.Object.(T)
		if isT && event.Type != watch.Deleted {
			if found = object; ok(object) {
				return object
			}
		}
	}
	last, _ := json.MarshalIndent(found, "", " ")
	t.Fatalf("did not come: %s; last seen:\n%s", what, last)
	return found
}

// setGate sets the gate's condition as another manager than the kubelet.
func (l podLab) setGate(t *testing.T, pod *corev1.Pod, status corev1.ConditionStatus) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"conditions": []corev1.PodCondition{{Type: gate, Status: status, Reason: "Test", Message: "by the test"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.client.CoreV1().Pods(l.namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{FieldManager: "gatekeeper"}, "status")
	if err != nil {
		t.Fatal(err)
	}
}

func isReady(status corev1.ConditionStatus) func(*corev1.Pod) bool {
	return func(p *corev1.Pod) bool { return conditionStatus(*p, corev1.PodReady) == status }
}

func testDeployment(t *testing.T, lab podLab) {
	lab.deployment(t, 3, podTemplate())
	awaitObject(t, "3 replicas ready", func(ctx context.Context) (watch.Interface, error) {
		return lab.client.AppsV1().Deployments(lab.namespace).Watch(ctx, metav1.ListOptions{})
	}, func(d *appsv1.Deployment) bool { return d.Status.ReadyReplicas == 3 })
	pods, err := lab.client.CoreV1().Pods(lab.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ips := map[string]bool{}
	for _, p := range pods.Items {
		ips[p.Status.PodIP] = true
		init, main := p.Status.InitContainerStatuses[0], p.Status.ContainerStatuses[0]
		if p.Status.Phase != corev1.PodRunning || p.Spec.NodeName == "" || p.Status.HostIP == "" || p.Status.StartTime == nil {
			t.Errorf("pod %s does not look running: %+v", p.Name, p.Status)
		}
		if !main.Ready || !*main.Started || main.State.Running == nil {
			t.Errorf("container of %s is not running: %+v", p.Name, main)
		}
		if init.State.Terminated == nil || init.State.Terminated.Reason != "Completed" {
			t.Errorf("init container of %s is not completed: %+v", p.Name, init)
		}
		for _, m := range p.ManagedFields {
			if m.Subresource == "status" && m.Manager != "kubelet" && m.Manager != "kube-scheduler" {
				t.Errorf("status of %s is managed by %s", p.Name, m.Manager)
			}
		}
	}
	if len(ips) != 3 || ips[""] {
		t.Errorf("pod IPs are not unique: %v", ips)
	}
}

func testGate(t *testing.T, lab podLab) {
	lab.deployment(t, 1, podTemplate(gated))
	pod := lab.await(t, "containers ready, pod not", func(p *corev1.Pod) bool {
		return conditionStatus(*p, corev1.ContainersReady) == corev1.ConditionTrue && isReady(corev1.ConditionFalse)(p)
	})
	for _, want := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionTrue} {
		lab.setGate(t, pod, want)
		pod = lab.await(t, "Ready is "+string(want), isReady(want))
		for _, c := range pod.Status.Conditions {
			if c.Type == gate && (c.Status != want || c.Message != "by the test") {
				t.Errorf("the gate's condition was written by somebody else: %+v", c)
			}
		}
	}
	for _, m := range pod.ManagedFields {
		if m.Manager == kubeletAgent && m.FieldsV1 != nil && bytes.Contains(m.FieldsV1.GetRawBytes(), []byte(gate)) {
			t.Errorf("the kubelet owns the gate's condition: %s", m.FieldsV1.GetRawBytes())
		}
	}
}

func testJob(t *testing.T, lab podLab) {
	lab.job(t, corev1.RestartPolicyOnFailure, podTemplate())
	lab.awaitJob(t, batchv1.JobComplete)
	lab.await(t, "pod succeeded", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
}

func testGatedJob(t *testing.T, lab podLab) {
	lab.job(t, corev1.RestartPolicyNever, podTemplate(gated))
	pod := lab.await(t, "held", isReady(corev1.ConditionFalse))
	if pod.Status.Phase != corev1.PodRunning {
		t.Errorf("a held pod is %s", pod.Status.Phase)
	}
	lab.setGate(t, pod, corev1.ConditionTrue)
	lab.awaitJob(t, batchv1.JobComplete)
}

func testFailedJob(t *testing.T, lab podLab) {
	lab.job(t, corev1.RestartPolicyNever, podTemplate(failing))
	pod := lab.await(t, "pod failed", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed })
	if code := pod.Status.ContainerStatuses[0].State.Terminated.ExitCode; code != 1 {
		t.Errorf("exit code %d", code)
	}
	lab.awaitJob(t, batchv1.JobFailed)
}

func testCrash(t *testing.T, lab podLab) {
	lab.deployment(t, 1, podTemplate(failing))
	pod := lab.await(t, "crash loop", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State.Waiting != nil
	})
	main := pod.Status.ContainerStatuses[0]
	if main.State.Waiting.Reason != "CrashLoopBackOff" || main.RestartCount < 1 || main.Ready || !isReady(corev1.ConditionFalse)(pod) {
		t.Errorf("not a crash loop: %+v", pod.Status)
	}
	_, err := lab.client.CoreV1().Pods(lab.namespace).Patch(t.Context(), pod.Name, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"rehearse.dev/simulate":null}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod = lab.await(t, "recovered", isReady(corev1.ConditionTrue))
	if pod.Status.ContainerStatuses[0].RestartCount < 1 {
		t.Errorf("the restarts are forgotten: %+v", pod.Status.ContainerStatuses[0])
	}
}

func testFinalizer(t *testing.T, lab podLab) {
	pods := lab.client.CoreV1().Pods(lab.namespace)
	template := podTemplate()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x", Finalizers: []string{"rehearse.dev/test"}}, Spec: template.Spec}
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	lab.await(t, "ready", isReady(corev1.ConditionTrue))
	if err := pods.Delete(t.Context(), "x", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	lab.await(t, "ended, but still there with no grace left", func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodFailed && p.DeletionGracePeriodSeconds != nil && *p.DeletionGracePeriodSeconds == 0
	})
	if _, err := pods.Patch(t.Context(), "x", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the pod is gone", func() bool {
		list, err := pods.List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 0
	})
}

func testVolumes(t *testing.T, lab podLab) {
	sets := lab.client.AppsV1().StatefulSets(lab.namespace)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: appsv1.StatefulSetSpec{
		Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: podTemplate(),
		PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
			WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
		},
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}},
	}}
	if _, err := sets.Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	lab.await(t, "ready with its volume", isReady(corev1.ConditionTrue))
	if err := sets.Delete(t.Context(), "x", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "volumes are gone", func() bool {
		list, err := lab.client.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 0
	})
}
