package actor_test

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  replicas: 1
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec: {containers: [{name: backend, image: example.com/backend}]}
`

const configMap = `
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-config}
data: {greeting: hello, obsolete: "yes"}
`

const service = `
apiVersion: v1
kind: Service
metadata: {name: backend}
spec: {ports: [{port: 80}]}
`

const (
	services    = "services.v1."
	deployments = "deployments.v1.apps"
	configMaps  = "configmaps.v1."
)

// entry describes the managedFields entry of a manager: operation, subresource and fields.
func entry(u *unstructured.Unstructured, manager string) string {
	for _, e := range u.GetManagedFields() {
		if e.Manager == manager {
			return strings.TrimSpace(strings.Join([]string{string(e.Operation), e.Subresource, e.FieldsV1.GetRawString()}, " "))
		}
	}
	return "none"
}

func TestManagedFields(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec any
		// manager is stated by the actor; empty takes its name.
		manager string
		// resource and object are what is written to.
		resource, object string
		// owned is the managedFields entry that the write must leave.
		owned string
	}{
		"scale": {
			spec:     &v1alpha1.Scale{Workload: "Deployment/backend", Replicas: 5},
			resource: deployments, object: "backend",
			owned: `Update scale {"f:spec":{"f:replicas":{}}}`,
		},
		"edit": {
			spec:     &v1alpha1.Edit{Object: "ConfigMap/shop-config", Merge: map[string]any{"data": map[string]any{"greeting": "by hand", "obsolete": nil}}},
			manager:  "kubectl-edit",
			resource: configMaps, object: "shop-config",
			owned: `Update  {"f:data":{"f:greeting":{}}}`,
		},
		"strategic patch": {
			spec: &v1alpha1.Patch{Object: "Deployment.apps/backend", Type: "strategic", Patch: fields(t,
				`{spec: {template: {spec: {containers: [{name: backend, env: [{name: DEBUG, value: "1"}]}]}}}}`)},
			resource: deployments, object: "backend",
			owned: `Update  {"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"backend\"}":{"f:env":{".":{},"k:{\"name\":\"DEBUG\"}":{".":{},"f:name":{},"f:value":{}}}}}}}}}`,
		},
		"merge patch": {
			spec:     &v1alpha1.Patch{Object: "Deployment/backend", Type: "merge", Patch: fields(t, `{spec: {paused: true}}`)},
			resource: deployments, object: "backend",
			owned: `Update  {"f:spec":{"f:paused":{}}}`,
		},
		"json patch": {
			spec:     &v1alpha1.Patch{Object: "Deployment/backend", Type: "json", Patch: []any{fields(t, `{op: replace, path: /spec/replicas, value: 3}`)}},
			resource: deployments, object: "backend",
			owned: `Update  {"f:spec":{"f:replicas":{}}}`,
		},
		"patch of status": {
			spec: &v1alpha1.Patch{Object: "Service/backend", Type: "merge", Subresource: "status", Patch: fields(t,
				`{status: {conditions: [{type: Odd, status: "True", reason: Told, message: so, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}`)},
			resource: services, object: "backend",
			owned: `Update status {"f:status":{"f:conditions":{".":{},"k:{\"type\":\"Odd\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:reason":{},"f:status":{},"f:type":{}}}}}`,
		},
		"apply": {
			spec:     &v1alpha1.Apply{Manifest: fields(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: shop-config}, data: {more: "1"}}`)},
			manager:  "argocd-controller",
			resource: configMaps, object: "shop-config",
			owned: `Apply  {"f:data":{"f:more":{}}}`,
		},
		"forced apply": {
			spec:     &v1alpha1.Apply{Manifest: fields(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: shop-config}, data: {greeting: from git}}`), Force: true},
			resource: configMaps, object: "shop-config",
			owned: `Apply  {"f:data":{"f:greeting":{}}}`,
		},
		"create": {
			spec:     &v1alpha1.Create{Manifest: fields(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: shared}, data: {note: made by hand}}`)},
			resource: configMaps, object: "shared",
			owned: `Update  {"f:data":{".":{},"f:note":{}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.create(deployments, deployment)
			s.create(configMaps, configMap)
			s.create(services, service)
			who := v1alpha1.Actor{Name: "someone", Manager: tc.manager, Do: choice(tc.spec)}
			s.act(s.troupe(who), "someone")

			manager := tc.manager
			if manager == "" {
				manager = "someone"
			}
			got := s.get(tc.resource, tc.object)
			if owned := entry(got, manager); owned != tc.owned {
				t.Errorf("%s owns:\n%s\nwant:\n%s", manager, owned, tc.owned)
			}
			gvk := got.GroupVersionKind()
			want := []evidence.ActorWrite{{Actor: "someone", Manager: manager, Verb: who.Do.Kind, Ref: evidence.Ref{
				Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: s.namespace, Name: tc.object, UID: string(got.GetUID()),
			}}}
			if writes := s.sink.all(); !slices.Equal(writes, want) {
				t.Errorf("recorded %+v\nwant %+v", writes, want)
			}
		})
	}
}

func TestEditMerges(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.create(configMaps, configMap)
	s.act(s.troupe(does("human", &v1alpha1.Edit{
		Object: "ConfigMap/shop-config",
		Merge:  fields(t, `{metadata: {labels: {by: hand}}, data: {greeting: by hand, obsolete: null}}`),
	})), "human")
	got := s.get(configMaps, "shop-config")
	data, _, _ := unstructured.NestedStringMap(got.Object, "data")
	if len(data) != 1 || data["greeting"] != "by hand" || got.GetLabels()["by"] != "hand" {
		t.Errorf("data %v, labels %v", data, got.GetLabels())
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	made := s.create(configMaps, configMap)
	s.act(s.troupe(does("human", &v1alpha1.Delete{Object: "ConfigMap/shop-config"})), "human")
	if _, err := s.resource(configMaps).Get(t.Context(), "shop-config", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
	if w := s.sink.all(); len(w) != 1 || w[0].Ref.UID != string(made.GetUID()) || w[0].Verb != "delete" {
		t.Errorf("recorded %+v", w)
	}
}

func TestGeneratedName(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	troupe := s.troupe(does("litterer", &v1alpha1.Create{Manifest: fields(t, `{apiVersion: v1, kind: ConfigMap, metadata: {generateName: litter-}}`)}))
	s.act(troupe, "litterer")
	s.act(troupe, "litterer")
	writes := s.sink.all()
	if len(writes) != 2 || writes[0].Ref.Name == writes[1].Ref.Name {
		t.Fatalf("recorded %+v", writes)
	}
	for _, w := range writes {
		if got := s.get(configMaps, w.Ref.Name); string(got.GetUID()) != w.Ref.UID {
			t.Errorf("%s has UID %s, recorded %s", w.Ref, got.GetUID(), w.Ref.UID)
		}
	}
}

func TestOtherNamespaceAndClusterScope(t *testing.T) {
	t.Parallel()
	s, other := newScene(t), newScene(t)
	other.create(configMaps, configMap)
	troupe := s.troupe(
		does("maker", &v1alpha1.Create{Manifest: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "made", "namespace": other.namespace}, "data": map[string]any{"a": "b"},
		}}),
		does("editor", &v1alpha1.Edit{Object: "ConfigMap/" + other.namespace + "/shop-config", Merge: fields(t, `{data: {greeting: hi}}`)}),
		does("labeller", &v1alpha1.Patch{Object: "Namespace/" + s.namespace, Type: "merge", Patch: fields(t, `{metadata: {labels: {a: b}}}`)}),
	)
	for _, name := range []string{"maker", "editor", "labeller"} {
		s.act(troupe, name)
	}
	if owned := entry(other.get(configMaps, "made"), "maker"); owned == "none" {
		t.Error("the maker made nothing")
	}
	if owned := entry(other.get(configMaps, "shop-config"), "editor"); !strings.Contains(owned, "f:greeting") {
		t.Errorf("the editor owns %s", owned)
	}
	var namespaces []string
	for _, w := range s.sink.all() {
		namespaces = append(namespaces, w.Ref.Namespace)
	}
	if want := []string{other.namespace, other.namespace, ""}; !slices.Equal(namespaces, want) {
		t.Errorf("namespaces %q, want %q", namespaces, want)
	}
}
