package readiness_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/readiness"
)

// The cluster and the clients that the tests share; set by TestMain.
var (
	config *rest.Config
	client kubernetes.Interface
)

// kwokLeaves are goroutines that KWOK does not end with its controller.
var kwokLeaves = []goleak.Option{
	goleak.IgnoreAnyFunction("k8s.io/apimachinery/pkg/watch.(*Broadcaster).loop"),
	goleak.IgnoreAnyFunction("k8s.io/client-go/tools/record.(*eventBroadcasterImpl).StartEventWatcher.func1"),
	goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/utils/queue.(*weightDelayingQueue[...]).loopWorker"),
	// Its watches may end up sending to a worker that has ended before.
	goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/kwok/controllers.(*PodController).watchResources"),
	goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/kwok/controllers.(*NodeController).watchResources"),
}

// TestMain also proves that controllers leave no goroutine.
func TestMain(m *testing.M) {
	before := goleak.IgnoreCurrent()
	code, err := run(m)
	if err == nil {
		err = goleak.Find(append(kwokLeaves, before)...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	c, err := embedded.New().Create(ctx, cluster.Spec{Nodes: 1})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := c.Delete(ctx); e != nil {
			err = e
		}
	}()
	config = c.RESTConfig()
	config.QPS = -1
	if client, err = kubernetes.NewForConfig(config); err != nil {
		return 0, err
	}
	for range 2 { // the second time it is there already
		if err := readiness.Install(ctx, config); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// sink keeps the decisions as "Kind/name decision".
type sink struct {
	mu        sync.Mutex
	decisions []evidence.Readiness
}

func (s *sink) Record(e evidence.Event) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decisions = append(s.decisions, *e.Readiness)
	return 0
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	for _, d := range s.decisions {
		words = append(words, d.Workload+" "+d.Decision)
	}
	return strings.Join(words, ", ")
}

// scene is a namespace with rules.
type scene struct {
	*testing.T
	namespace  string
	sink       *sink
	controller *readiness.Controller
}

func stage(t *testing.T, rules ...v1alpha1.ReadinessRule) *scene {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "readiness-", Labels: map[string]string{readiness.NamespaceLabel: "test"},
	}}
	ns, err := client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), ns.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	s := &scene{T: t, namespace: ns.Name, sink: &sink{}}
	s.controller, err = readiness.Start(t.Context(), config, readiness.Rules{Namespace: ns.Name, Rules: rules, Seed: 1}, s.sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.controller.Close(); err != nil {
			t.Error(err)
		}
	})
	s.enter("v1")
	return s
}

func (s *scene) enter(step string) {
	s.Helper()
	start := time.Now()
	if err := s.controller.EnterStep(s.Context(), step); err != nil {
		s.Fatal(err)
	}
	s.Logf("entering %s took %s", step, time.Since(start).Round(time.Millisecond))
}

// create makes a workload of one pod: kind, name and further fields of its pod template's spec.
func (s *scene) create(kind, name, podSpec string) {
	s.Helper()
	meta := fmt.Sprintf("{metadata: {labels: {app: %s}}, spec: {containers: [{name: app, image: app}] %s}}", name, podSpec)
	apiVersion, resource, spec := "apps/v1", strings.ToLower(kind)+"s", fmt.Sprintf("{selector: {matchLabels: {app: %s}}, serviceName: x, template: %s}", name, meta)
	switch kind {
	case "Job":
		apiVersion, spec = "batch/v1", fmt.Sprintf("{backoffLimit: 0, template: %s}", meta)
	case "Pod":
		apiVersion, spec = "v1", "{containers: [{name: app, image: app}] "+podSpec+"}"
	case "StatefulSet":
	default:
		spec = strings.ReplaceAll(spec, "serviceName: x, ", "")
	}
	manifest := fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: %s}, spec: %s}", apiVersion, kind, name, spec)
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		s.Fatal(manifest, err)
	}
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		s.Fatal(err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := dyn.Resource(gv.WithResource(resource)).Namespace(s.namespace).Create(s.Context(), u, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
}

// pod waits until the pod whose name begins with prefix satisfies ok.
func (s *scene) pod(prefix string, ok func(*corev1.Pod) bool) *corev1.Pod {
	s.Helper()
	w, err := client.CoreV1().Pods(s.namespace).Watch(s.Context(), metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	defer w.Stop()
	deadline := time.After(15 * time.Second)
	var last *corev1.Pod
	for {
		select {
		case e := <-w.ResultChan():
			pod, is := e.Object.(*corev1.Pod)
			if !is || !strings.HasPrefix(pod.Name, prefix) {
				continue
			}
			if last = pod; ok(pod) {
				return pod
			}
		case <-deadline:
			s.Fatalf("pod %s did not come to it: %+v; decisions: %s", prefix, last, s.sink)
		}
	}
}

func ready(pod *corev1.Pod) bool { return condition(pod, corev1.PodReady) == corev1.ConditionTrue }

func running(pod *corev1.Pod) bool {
	return condition(pod, corev1.ContainersReady) == corev1.ConditionTrue
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}
