package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/internal/workload"
	"rehearse.dev/rehearse/harness/eventually"
)

// site is a cluster of three nodes and its client.
type site struct {
	*Cluster
	client *kubernetes.Clientset
	image  string
}

// One cluster serves several tests: each boot takes half a minute.
func TestCluster(t *testing.T) {
	e := needNodeImage(t)
	_, root := newJournal(t)
	home := t.TempDir()
	t.Setenv("KUBECONFIG", filepath.Join(home, "config"))
	image := sleepImage(t, e)
	var phases []string
	made, err := New(WithStateRoot(root), WithLocalImages(image), WithImages(workloadArchive)).Create(t.Context(), cluster.Spec{
		Nodes: 3, Progress: func(phase string) { phases = append(phases, phase); t.Log(phase) },
	})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Cluster)
	t.Cleanup(func() { _ = c.Delete(context.Background()) })
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	s := site{c, client, image}
	for _, want := range []string{"node image " + OwnImage, "preparing nodes", "starting control-plane", "joining worker nodes", "loading images"} {
		if !slices.ContainsFunc(phases, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("no phase %q in %q", want, phases)
		}
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
		t.Errorf("the user's kubeconfig was touched: %v, %v", entries, err)
	}
	if c.Version() != KubeVersion {
		t.Errorf("version %s", c.Version())
	}
	served, err := client.Discovery().ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	if err != nil || !slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Kind == "MutatingAdmissionPolicy" }) {
		t.Errorf("readiness cannot be held back by a MutatingAdmissionPolicy: %v", err)
	}
	t.Run("pods run on every node", s.testPods)
	t.Run("services", s.testServices)
	t.Run("a container crashes and comes back", s.testCrash)
	t.Run("a paused node", s.testPause)
	t.Run("a killed node", s.testKill)
	t.Run("a killed control plane", s.testKillControlPlane)
	t.Run("unknown nodes", s.testUnknown)
	t.Run("a node is added and removed", s.testResize)
	t.Run("logs", s.testLogs)
	if err := c.Cause(); err != nil {
		t.Errorf("it died of what was done to it: %v", err)
	}
	volumes := volumesOf(t, e, c.Name())
	for range 2 {
		if err := c.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	checkNothingLeft(t, e, leftovers{root: root, name: c.Name(), volumes: volumes})
}

// workloadArchive is an archive of what the fixture charts run.
func workloadArchive(ctx context.Context, progress func(string)) ([]string, error) {
	path, err := workload.Archive(ctx, progress)
	return []string{path}, err
}

// pod makes a pod on a node and waits until it runs.
func (s site) pod(t *testing.T, name, node string) *corev1.Pod {
	t.Helper()
	pods := s.client.CoreV1().Pods(metav1.NamespaceDefault)
	_, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{corev1.LabelHostname: node},
			Containers:   []corev1.Container{{Name: "main", Image: s.image, ImagePullPolicy: corev1.PullNever}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.await(t, name, podReady)
}

// await waits until a pod is as wanted.
func (s site) await(t *testing.T, name string, holds func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	eventually.Holds(t, "pod "+name+" is as wanted", func() bool {
		var err error
		pod, err = s.client.CoreV1().Pods(metav1.NamespaceDefault).Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && holds(pod)
	})
	return pod
}

// Three nodes are three nodes that take pods, the control plane's included, and each has the image.
func (s site) testPods(t *testing.T) {
	addresses := map[string]bool{}
	for _, node := range s.Nodes() {
		pod := s.pod(t, "on-"+node, node)
		addresses[pod.Status.PodIP] = true
		for _, toleration := range pod.Spec.Tolerations {
			if *toleration.TolerationSeconds != 5 {
				t.Errorf("a default toleration: %+v", toleration)
			}
		}
	}
	if len(addresses) != 3 {
		t.Errorf("addresses: %v", addresses)
	}
	for address := range addresses {
		s.testReach(t, address)
	}
}

// testReach tells whether every node, and so every pod on it, has a way to a pod.
func (s site) testReach(t *testing.T, address string) {
	t.Helper()
	for _, node := range s.Nodes() {
		if _, err := s.engine.run(t.Context(), "exec", node, "timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/"+address+"/8080"); err != nil {
			t.Errorf("from %s to pod %s: %v", node, address, err)
		}
	}
}

// testServices tells whether pods of every node reach a Service by its name.
func (s site) testServices(t *testing.T) {
	for i, node := range s.Nodes()[1:] { // rules for several endpoints are others than for one
		name := fmt.Sprintf("server-%d", i)
		s.work(t, name, node, "serve")
		s.await(t, name, podReady)
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "server"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"does": "serve"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	if _, err := s.client.CoreV1().Services(metav1.NamespaceDefault).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, node := range s.Nodes() { // the servers' own, too: answers of pods of the same node go another way
		s.testAsk(t, "asks-"+node, node)
		s.testFence(t, node)
	}
}

// testFence has a node refuse at once what is meant for a Service that is not there.
func (s site) testFence(t *testing.T, node string) {
	t.Helper()
	_, err := s.engine.run(t.Context(), "exec", node, "timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/10.96.200.200/80")
	if err == nil || !strings.Contains(err.Error(), "Connection refused") {
		t.Errorf("on %s nobody refuses what no Service takes: %v", node, err)
	}
}

// testAsk runs a pod on a node that asks testServices's Service by its name.
func (s site) testAsk(t *testing.T, name, node string) {
	t.Helper()
	s.work(t, name, node, "check", "http://server.default.svc.cluster.local/readyz")
	pod := s.await(t, name, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	if pod.Status.Phase == corev1.PodFailed {
		said, err := s.client.CoreV1().Pods(pod.Namespace).GetLogs(name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		t.Errorf("a pod on %s does not reach the Service: %s %v", node, said, err)
	}
}

// work makes a pod of the workload on a node.
func (s site) work(t *testing.T, name, node string, args ...string) {
	t.Helper()
	_, err := s.client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"does": args[0]}},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{corev1.LabelHostname: node}, RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "main", Image: workload.Tag, ImagePullPolicy: corev1.PullNever, Args: args}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (s site) testCrash(t *testing.T) {
	node := s.Nodes()[1]
	pod := s.pod(t, "crashes", node)
	ref := cluster.ContainerRef{
		Namespace: pod.Namespace, Pod: pod.Name, Container: "main", Node: node, ID: pod.Status.ContainerStatuses[0].ContainerID,
	}
	if err := s.CrashContainer(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	s.await(t, pod.Name, func(p *corev1.Pod) bool {
		status := p.Status.ContainerStatuses[0]
		return status.RestartCount == 1 && status.LastTerminationState.Terminated != nil && status.LastTerminationState.Terminated.ExitCode == 137
	})
	ref.ID = ""
	if err := s.CrashContainer(t.Context(), ref); err == nil {
		t.Error("a container without ID was crashed")
	}
}

// awaitNode waits until a node is Ready or not, and returns how long that took.
func (s site) awaitNode(t *testing.T, name string, ready bool) time.Duration {
	t.Helper()
	began := time.Now()
	eventually.Holds(t, "node "+name+" changes", func() bool {
		node, err := s.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && nodeReady(node) == ready
	})
	took := time.Since(began)
	t.Logf("node %s Ready: %v after %s", name, ready, took.Round(100*time.Millisecond))
	return took
}

func (s site) testPause(t *testing.T) {
	node := s.Nodes()[2]
	pod := s.pod(t, "paused", node)
	for range 2 {
		if err := s.PauseNode(t.Context(), node); err != nil {
			t.Fatal(err)
		}
	}
	if took := s.awaitNode(t, node, false); took > 20*time.Second {
		t.Errorf("missed only after %s", took)
	}
	s.await(t, pod.Name, func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil })
	for range 2 {
		if err := s.ResumeNode(t.Context(), node); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitNode(t, node, true)
}

func (s site) testKill(t *testing.T) {
	node := s.Nodes()[2]
	for range 2 {
		if err := s.KillNode(t.Context(), node); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitNode(t, node, false)
	if err := s.PauseNode(t.Context(), node); err == nil || !strings.Contains(err.Error(), "exited") {
		t.Errorf("a dead node was paused: %v", err)
	}
	if err := s.StartNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	s.awaitNode(t, node, true)
	s.testFence(t, node)
	s.testReach(t, s.pod(t, "after-the-start", node).Status.PodIP)
}

// The API server is where it was once its node runs again: clients are not lost.
func (s site) testKillControlPlane(t *testing.T) {
	node := s.Nodes()[0]
	if err := s.KillNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error(); err == nil {
		t.Error("an API server answers without its node")
	}
	if err := s.StartNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the API server is ready", func() bool {
		return s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error() == nil
	})
	s.awaitNode(t, node, true)
	s.testReach(t, s.pod(t, "after-the-outage", s.Nodes()[1]).Status.PodIP)
	s.testAsk(t, "asks-after-the-outage", s.Nodes()[2])
}

// testResize adds a node, on which pods of this cluster's images run and are reached, and removes it.
func (s site) testResize(t *testing.T) {
	ctx, before := t.Context(), s.Nodes()
	if err := s.AddNode(ctx, "extra"); err != nil {
		t.Fatal(err)
	}
	if len(s.Nodes()) != len(before)+1 || !slices.Contains(s.Nodes(), "extra") {
		t.Errorf("nodes: %v", s.Nodes())
	}
	if err := s.AddNode(ctx, "extra"); !errors.Is(err, cluster.ErrNodeExists) {
		t.Errorf("added twice: %v", err)
	}
	pod := s.pod(t, "on-extra", "extra")
	s.testReach(t, pod.Status.PodIP)

	if err := s.RemoveNode(ctx, s.Name()+"-control-plane"); !errors.Is(err, cluster.ErrUnsupported) {
		t.Errorf("the control plane's node: %v", err)
	}
	if err := s.RemoveNode(ctx, "extra"); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveNode(ctx, "extra"); !errors.Is(err, ErrNoNode) {
		t.Errorf("removed twice: %v", err)
	}
	if !slices.Equal(s.Nodes(), before) {
		t.Errorf("nodes: %v, before %v", s.Nodes(), before)
	}
	if _, err := s.client.CoreV1().Nodes().Get(ctx, "extra", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its object: %v", err)
	}
	if _, err := s.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its pod: %v", err)
	}

	// A container that is no node of this cluster keeps its name.
	other := "rehearse-other-" + randomHex(4)
	must(t, s.engine, "create", "--name", other, s.image)
	if err := s.AddNode(ctx, other); err == nil || slices.Contains(s.Nodes(), other) {
		t.Errorf("a node with the name of another container: %v", err)
	}
	must(t, s.engine, "rm", other) // fails if it is not there any more

	// What fails half way leaves nothing.
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.AddNode(short, "late"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without time: %v", err)
	}
	if left := remains(t, s.engine, s.Name()); !slices.Equal(left, before) || !slices.Equal(s.Nodes(), before) {
		t.Errorf("containers %v and nodes %v, before %v", left, s.Nodes(), before)
	}
	if _, err := s.client.CoreV1().Nodes().Get(ctx, "late", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its object: %v", err)
	}

	// A removal that failed half way can be repeated.
	must(t, s.engine, "kill", s.addedNode(t, "half"))
	must(t, s.engine, "rm", "-v", "half")
	if err := s.RemoveNode(ctx, "half"); err != nil {
		t.Error(err)
	}
	if _, err := s.client.CoreV1().Nodes().Get(ctx, "half", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its object: %v", err)
	}
}

// addedNode adds a node beside one that is dead, and expects it to end.
func (s site) addedNode(t *testing.T, node string) string {
	t.Helper()
	dead := s.Name() + "-worker2"
	if err := s.KillNode(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	if err := s.AddNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := s.StartNode(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	if err := s.expect(node, false); err != nil {
		t.Fatal(err)
	}
	return node
}

func (s site) testUnknown(t *testing.T) {
	if err := s.PauseNode(t.Context(), "other"); !errors.Is(err, ErrNoNode) || !strings.Contains(err.Error(), s.Nodes()[0]) {
		t.Errorf("error: %v", err)
	}
	if err := s.CrashContainer(t.Context(), cluster.ContainerRef{Node: "other"}); !errors.Is(err, ErrNoNode) {
		t.Errorf("error: %v", err)
	}
}

func (s site) testLogs(t *testing.T) {
	dir := t.TempDir()
	if err := s.CollectLogs(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kind.log", s.Nodes()[0] + "/kubelet.log", s.Nodes()[2] + "/containerd.log"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
