package actor_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/evidence"
)

// shared is the cluster of the tests, made by TestMain; nil with -short.
var shared cluster.Cluster

// TestMain also proves that troupes leave no goroutine, however they end.
func TestMain(m *testing.M) {
	flag.Parse()
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if !testing.Short() {
		if shared, err = embedded.New().Create(ctx, cluster.Spec{Nodes: 1}); err != nil {
			return 0, err
		}
	}
	before := goleak.IgnoreCurrent()
	code = m.Run()
	if shared != nil {
		// This also ends the connections to its API server, which have goroutines.
		if err := shared.Delete(ctx); err != nil {
			return 0, err
		}
	}
	return code, goleak.Find(before)
}

// scene is a namespace of a test's own on the shared cluster.
type scene struct {
	*testing.T
	config    *rest.Config
	client    dynamic.Interface
	namespace string
	sink      *sink
}

func newScene(t *testing.T) *scene {
	t.Helper()
	if shared == nil {
		t.Skip("-short: this test needs a cluster")
	}
	s := &scene{T: t, config: shared.RESTConfig(), sink: newSink()}
	s.config.QPS = -1
	var err error
	if s.client, err = dynamic.NewForConfig(s.config); err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(s.config)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "actor-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.namespace = ns.Name
	return s
}

// troupe makes a troupe that is closed at the end of the test.
func (s *scene) troupe(actors ...v1alpha1.Actor) *actor.Troupe {
	s.Helper()
	troupe, err := actor.NewTroupe(s.Context(), s.config, s.namespace, actors, s.sink)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(troupe.Close)
	return troupe
}

func (s *scene) act(troupe *actor.Troupe, name string) {
	s.Helper()
	if err := troupe.Act(s.Context(), name); err != nil {
		s.Fatal(err)
	}
}

// resource is the client of a resource: "deployments.v1.apps", "configmaps.v1.".
func (s *scene) resource(name string) dynamic.ResourceInterface {
	s.Helper()
	gvr, _ := schema.ParseResourceArg(name)
	if gvr == nil {
		s.Fatalf("%q is no resource.version.group", name)
	}
	return s.client.Resource(*gvr).Namespace(s.namespace)
}

func (s *scene) create(resource, manifest string) *unstructured.Unstructured {
	s.Helper()
	made, err := s.resource(resource).Create(s.Context(), &unstructured.Unstructured{Object: fields(s.T, manifest)}, metav1.CreateOptions{FieldManager: "setup"})
	if err != nil {
		s.Fatal(err)
	}
	return made
}

func (s *scene) get(resource, name string) *unstructured.Unstructured {
	s.Helper()
	got, err := s.resource(resource).Get(s.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return got
}

// does makes an actor out of its name and spec.
func does(name string, spec any) v1alpha1.Actor {
	return v1alpha1.Actor{Name: name, Do: choice(spec)}
}

// choice finds the entry by its spec.
func choice(spec any) v1alpha1.Choice {
	switch spec.(type) {
	case *v1alpha1.Scale:
		return v1alpha1.Choice{Kind: "scale", Spec: spec}
	case *v1alpha1.Edit:
		return v1alpha1.Choice{Kind: "edit", Spec: spec}
	case *v1alpha1.Patch:
		return v1alpha1.Choice{Kind: "patch", Spec: spec}
	case *v1alpha1.Apply:
		return v1alpha1.Choice{Kind: "apply", Spec: spec}
	case *v1alpha1.Delete:
		return v1alpha1.Choice{Kind: "delete", Spec: spec}
	default:
		return v1alpha1.Choice{Kind: "create", Spec: spec}
	}
}

// fields reads YAML as the loader of scenarios does: integers are int64.
func fields(t testing.TB, text string) map[string]any {
	t.Helper()
	var u map[string]any
	if err := yaml.Unmarshal([]byte(text), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// sink keeps the evidence of writes in memory.
type sink struct {
	mu     sync.Mutex
	writes []evidence.ActorWrite
	news   chan struct{}
}

func newSink() *sink { return &sink{news: make(chan struct{}, 10_000)} }

func (s *sink) Record(e evidence.Event) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, *e.Write)
	s.news <- struct{}{}
	return int64(len(s.writes))
}

func (s *sink) all() []evidence.ActorWrite {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]evidence.ActorWrite(nil), s.writes...)
}
