package observe_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rehearse.dev/rehearse/harness/eventually"
	"rehearse.dev/rehearse/harness/ref"
)

const crds = "customresourcedefinitions.v1.apiextensions.k8s.io"

// define makes a CRD of the namespace's own group and returns its name and the resource's.
func (s *scene) define(versions ...string) (crd, resource string) {
	s.Helper()
	group := s.namespace + ".example.com"
	var list []string
	for i, v := range versions {
		list = append(list, fmt.Sprintf("{name: %s, served: true, storage: %v, subresources: {status: {}}, "+
			"schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}", v, i == 0))
	}
	crd = "widgets." + group
	s.create(crds, fmt.Sprintf(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {namespace: none, name: %s},
	  spec: {group: %s, scope: Namespaced, names: {kind: Widget, plural: widgets, singular: widget}, versions: [%s]}}`,
		crd, group, strings.Join(list, ", ")))
	s.Cleanup(func() {
		_ = in(crds, "").Delete(context.WithoutCancel(s.Context()), crd, metav1.DeleteOptions{}) // the test may have done it
	})
	s.established(crd)
	return crd, "widgets." + versions[0] + "." + group
}

func (s *scene) established(crd string) {
	s.Helper()
	err := s.sub.Await(s.Context(), ref.Ref{Kind: "CustomResourceDefinition", Name: crd}, func(o map[string]any, kstatus string) bool {
		return o != nil && kstatus == "Current"
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) widget(resource string) *unstructured.Unstructured {
	s.Helper()
	parts := strings.SplitN(resource, ".", 3)
	return s.create(resource, "{apiVersion: "+parts[2]+"/"+parts[1]+", kind: Widget, metadata: {name: w}}")
}

func TestResourceOfANewCRDIsWatched(t *testing.T) {
	t.Parallel()
	s := stage(t)
	_, resource := s.define("v1")
	s.widget(resource)
	for _, ready := range []string{"False", "True", "False", "True"} {
		s.patch(resource, "w", map[string]any{"status": map[string]any{
			"conditions": []any{map[string]any{"type": "Ready", "status": ready}},
		}}, "status")
	}
	s.expectStory("Widget/w", "added NotFound→Current modified Current→InProgress modified InProgress→Current "+
		"modified Current→InProgress modified InProgress→Current")
	if gaps := s.sink.gaps(); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestCRDDeletedAndMadeAgain(t *testing.T) {
	t.Parallel()
	s := stage(t)
	crd, resource := s.define("v1")
	s.widget(resource)
	if err := in(crds, "").Delete(t.Context(), crd, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := func(o map[string]any, _ string) bool { return o == nil }
	if err := s.sub.Await(t.Context(), ref.Ref{Kind: "CustomResourceDefinition", Name: crd}, gone); err != nil {
		t.Fatal(err)
	}
	_, resource = s.define("v1")
	s.widget(resource)
	// Deleting a CRD deletes its objects one by one: with a deletion timestamp, then for good.
	eventually.Holds(t, "the second widget is told", func() bool {
		s.snapshot()
		return strings.Count(s.sink.story("Widget/w"), "added") == 2
	})
	if got := s.sink.story("Widget/w"); !strings.Contains(got, "deleted") || !strings.HasSuffix(got, "→NotFound added NotFound→Current") {
		t.Errorf("got %s", got)
	}
}

func TestVersionNoLongerServed(t *testing.T) {
	t.Parallel()
	s := stage(t)
	crd, resource := s.define("v1alpha1", "v1")
	s.widget(resource)
	s.snapshot()
	off := []byte(`[{"op": "replace", "path": "/spec/versions/1/served", "value": false}]`)
	if _, err := in(crds, "").Patch(t.Context(), crd, "application/json-patch+json", off, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	s.patch(resource, "w", map[string]any{"metadata": map[string]any{"labels": map[string]any{"seen": "yes"}}})
	seen := func(o map[string]any, _ string) bool {
		u := unstructured.Unstructured{Object: o}
		return u.GetLabels()["seen"] == "yes"
	}
	if err := s.sub.Await(t.Context(), ref.Ref{Kind: "Widget", Name: "w"}, seen); err != nil {
		t.Error(err)
	}
}
