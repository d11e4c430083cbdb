package observe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/observe"
)

// The cluster, the hub and the client that the tests share; set by TestMain.
var (
	config *rest.Config
	shared *observe.Hub
	client dynamic.Interface
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

// TestMain also proves that hubs leave no goroutine, however they end.
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
	if client, err = dynamic.NewForConfig(config); err != nil {
		return 0, err
	}
	if shared, err = observe.Start(ctx, config); err != nil {
		return 0, err
	}
	defer shared.Close()
	return m.Run(), nil
}

// sink keeps evidence in memory.
type sink struct {
	mu     sync.Mutex
	events []evidence.Event
}

func (s *sink) Record(e evidence.Event) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	return int64(len(s.events))
}

func (s *sink) Object(v evidence.ObjectVersion, obj map[string]any) int64 {
	if obj == nil {
		panic("no object")
	}
	return s.Record(evidence.Event{Object: &v})
}

func (s *sink) all() []evidence.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// story tells what was recorded of one object, for example "added NotFound→Current modified".
func (s *sink) story(ref string) string {
	var words []string
	for _, e := range s.all() {
		switch {
		case e.Object != nil && e.Object.Ref.String() == ref:
			words = append(words, string(e.Object.Change))
		case e.Transition != nil && e.Transition.Ref.String() == ref:
			words = append(words, e.Transition.From+"→"+e.Transition.To)
		}
	}
	return strings.Join(words, " ")
}

func (s *sink) gaps() []evidence.Gap {
	var gaps []evidence.Gap
	for _, e := range s.all() {
		if e.Gap != nil {
			gaps = append(gaps, *e.Gap)
		}
	}
	return gaps
}

// scene is a namespace under observation.
type scene struct {
	*testing.T
	namespace string
	sink      *sink
	sub       *observe.Subscription
}

func stage(t *testing.T) *scene { return stageOn(t, shared) }

func stageOn(t *testing.T, hub *observe.Hub) *scene {
	t.Helper()
	s := &scene{T: t, sink: &sink{}, namespace: namespace(t)}
	sub, err := hub.Subscribe(t.Context(), observe.Scope{Namespace: s.namespace, Release: "shop"}, s.sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	s.sub = sub
	return s
}

func namespace(t *testing.T) string {
	t.Helper()
	gvr := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	ns := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "observe-"},
	}}
	ns, err := client.Resource(gvr).Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Resource(gvr).Delete(context.WithoutCancel(t.Context()), ns.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return ns.GetName()
}

// in returns the client of a resource, named as in "configmaps" or "widgets.v1.example.com".
func in(resource, namespace string) dynamic.ResourceInterface {
	gvr := schema.GroupVersionResource{Version: "v1", Resource: resource}
	if parsed, _ := schema.ParseResourceArg(resource); parsed != nil {
		gvr = *parsed
	}
	return client.Resource(gvr).Namespace(namespace)
}

func (s *scene) create(resource, manifest string) *unstructured.Unstructured {
	s.Helper()
	u := parse(s.T, manifest)
	ns := s.namespace
	if u.GetNamespace() == "none" {
		ns = ""
		u.SetNamespace("")
	}
	made, err := in(resource, ns).Create(s.Context(), u, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return made
}

func (s *scene) patch(resource, name string, patch map[string]any, subresources ...string) {
	s.Helper()
	raw, err := json.Marshal(patch)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := in(resource, s.namespace).Patch(s.Context(), name, "application/merge-patch+json", raw, metav1.PatchOptions{}, subresources...); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) delete(resource, name string) {
	s.Helper()
	if err := in(resource, s.namespace).Delete(s.Context(), name, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
}

// snapshot returns the objects as Kind/name, those left out that every namespace has.
func (s *scene) snapshot() []string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
	defer cancel()
	objects, err := s.sub.Snapshot(ctx)
	if err != nil {
		s.Fatal(err)
	}
	var names []string
	for _, o := range objects {
		u := unstructured.Unstructured{Object: o}
		if u.GetName() != "kube-root-ca.crt" && u.GetName() != "default" {
			names = append(names, u.GetKind()+"/"+u.GetName())
		}
	}
	return names
}

func (s *scene) expectStory(ref, want string) {
	s.Helper()
	s.snapshot() // all that was written is told now
	if got := s.sink.story(ref); got != want {
		s.Errorf("%s:\n got %s\nwant %s", ref, got, want)
	}
}

func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}
