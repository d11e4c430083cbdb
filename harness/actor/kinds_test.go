package actor_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// define makes a CRD of a kind in these versions, the last one stored, and waits until the API server serves it.
func (s *scene) define(kind, group string, versions ...string) {
	s.Helper()
	plural := strings.ToLower(kind) + "s"
	list := make([]any, len(versions))
	for i, v := range versions {
		list[i] = map[string]any{
			"name": v, "served": true, "storage": i == len(versions)-1,
			"schema":       map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			"subresources": map[string]any{"scale": map[string]any{"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
		}
	}
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced", "versions": list,
			"names": map[string]any{"kind": kind, "plural": plural},
		},
	}}
	made, err := s.client.Resource(crds).Create(s.Context(), crd, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.undefine(kind, group) })
	s.awaitCRD(s.Context(), made, func(e watch.Event) bool {
		raw, _ := json.Marshal(e.Object)
		return strings.Contains(string(raw), `"status":"True","type":"Established"`)
	})
}

// undefine removes a CRD, if it is there, and waits until it is gone.
func (s *scene) undefine(kind, group string) {
	s.Helper()
	ctx := context.WithoutCancel(s.Context())
	name := strings.ToLower(kind) + "s." + group
	crd, err := s.client.Resource(crds).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return
	}
	if err != nil {
		s.Fatal(err)
	}
	if err := s.client.Resource(crds).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
	s.awaitCRD(ctx, crd, func(e watch.Event) bool { return e.Type == watch.Deleted })
}

func (s *scene) awaitCRD(ctx context.Context, from *unstructured.Unstructured, until func(watch.Event) bool) {
	s.Helper()
	w, err := s.client.Resource(crds).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + from.GetName(), ResourceVersion: from.GetResourceVersion(),
	})
	if err != nil {
		s.Fatal(err)
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if until(e) {
			return
		}
	}
	s.Fatal("the watch ended")
}

func custom(group, version, kind string) *v1alpha1.Create {
	return &v1alpha1.Create{Manifest: map[string]any{
		"apiVersion": group + "/" + version, "kind": kind, "metadata": map[string]any{"name": "x"}, "spec": map[string]any{"replicas": 1, "a": 1},
	}}
}

func TestCRDThatComesLater(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const group = "later.example.com"
	troupe := s.troupe(
		does("maker", custom(group, "v1", "Sprocket")),
		does("scaler", &v1alpha1.Scale{Workload: "Sprocket/x", Replicas: 7}),
		does("patcher", &v1alpha1.Patch{Object: "Sprocket/x", Type: "strategic", Patch: map[string]any{"spec": map[string]any{"a": 2}}}),
		does("merger", &v1alpha1.Patch{Object: "Sprocket.later.example.com/x", Type: "merge", Patch: map[string]any{"spec": map[string]any{"a": 2}}}),
	)
	if err := troupe.Act(t.Context(), "maker"); !errors.Is(err, actor.ErrKind) {
		t.Fatalf("before the CRD: %v", err)
	}
	s.define("Sprocket", group, "v1")
	for _, name := range []string{"maker", "scaler", "merger"} {
		s.act(troupe, name)
	}
	got := s.get("sprockets.v1."+group, "x")
	for manager, want := range map[string]string{
		"scaler": `Update scale {"f:spec":{"f:replicas":{}}}`,
		"merger": `Update  {"f:spec":{"f:a":{}}}`,
	} {
		if owned := entry(got, manager); owned != want {
			t.Errorf("%s owns %s, want %s", manager, owned, want)
		}
	}
	err := troupe.Act(t.Context(), "patcher")
	if !apierrors.IsUnsupportedMediaType(err) || !strings.Contains(err.Error(), "say type: merge") {
		t.Errorf("strategic patch: %v", err)
	}
}

func TestCRDReplaced(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const group = "replaced.example.com"
	troupe := s.troupe(does("old", custom(group, "v1beta1", "Gadget")), does("new", custom(group, "v1", "Gadget")),
		does("scaler", &v1alpha1.Scale{Workload: "Gadget/x", Replicas: 3}))
	s.define("Gadget", group, "v1beta1")
	s.act(troupe, "old")
	s.act(troupe, "scaler")
	s.undefine("Gadget", group)
	s.define("Gadget", group, "v1")
	made := custom(group, "v1", "Gadget")
	if _, err := s.resource("gadgets.v1."+group).Create(t.Context(), unstructuredOf(s, made), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The troupe knows v1beta1 only, which is gone.
	s.act(troupe, "scaler")
	writes := s.sink.all()
	if last := writes[len(writes)-1]; last.Ref.Version != "v1" || last.Error != "" {
		t.Errorf("recorded %+v", last)
	}
}

func unstructuredOf(s *scene, c *v1alpha1.Create) *unstructured.Unstructured {
	s.Helper()
	raw, err := json.Marshal(c.Manifest)
	if err != nil {
		s.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		s.Fatal(err)
	}
	return u
}

func TestKindOfSeveralGroups(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, group := range []string{"one.example.com", "two.example.com"} {
		s.define("Twin", group, "v1")
		s.define("Service", group, "v1")
	}
	troupe := s.troupe(
		does("vague", &v1alpha1.Delete{Object: "Twin/x"}),
		does("maker", custom("two.example.com", "v1", "Twin")),
		does("precise", &v1alpha1.Scale{Workload: "Twin.two.example.com/x", Replicas: 2}),
		does("core", &v1alpha1.Patch{Object: "Service/x", Patch: map[string]any{}}),
	)
	err := troupe.Act(t.Context(), "vague")
	if !errors.Is(err, actor.ErrKind) || !strings.Contains(err.Error(), "one.example.com, two.example.com") {
		t.Errorf("error %v", err)
	}
	s.act(troupe, "maker")
	s.act(troupe, "precise")
	if err := troupe.Act(t.Context(), "core"); err == nil || !strings.Contains(err.Error(), `services "x" not found`) {
		t.Errorf("a kind of the core group and others: %v", err)
	}
}
