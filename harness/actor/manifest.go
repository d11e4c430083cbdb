package actor

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func applyEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "apply",
		Summary: "Sends a server-side apply, as a GitOps controller does. The object may be there or not.",
		Example: `name: gitops
every: 2s
apply:
  manifest:
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: shop-config}
    data: {greeting: from git}
  force: true
`,
		NewSpec:  func() any { return &v1alpha1.Apply{} },
		Validate: validated(func(spec *v1alpha1.Apply) []registry.Problem { return validateManifest(spec.Manifest, false) }),
		Code:     code(prepareApply),
	}
}

func prepareApply(spec *v1alpha1.Apply) (write, error) {
	return ofManifest(spec.Manifest, func(ctx context.Context, o object, manifest *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return o.client.Apply(ctx, o.name, manifest, metav1.ApplyOptions{FieldManager: o.manager, Force: spec.Force})
	})
}

func createEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "create",
		Summary: "Creates an object, as kubectl create does. It must not be there yet.",
		Example: `name: kubectl-create
create:
  manifest:
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: shared}
    data: {note: made by hand}
`,
		NewSpec:  func() any { return &v1alpha1.Create{} },
		Validate: validated(func(spec *v1alpha1.Create) []registry.Problem { return validateManifest(spec.Manifest, true) }),
		Code:     code(prepareCreate),
	}
}

func prepareCreate(spec *v1alpha1.Create) (write, error) {
	return ofManifest(spec.Manifest, func(ctx context.Context, o object, manifest *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return o.client.Create(ctx, manifest, metav1.CreateOptions{FieldManager: o.manager})
	})
}

// validateManifest checks that a manifest says which object it is. generated allows the API server to choose its name.
func validateManifest(manifest map[string]any, generated bool) []registry.Problem {
	u := unstructured.Unstructured{Object: manifest}
	var problems []registry.Problem
	if _, err := schema.ParseGroupVersion(u.GetAPIVersion()); err != nil || u.GetAPIVersion() == "" {
		problems = append(problems, registry.Problem{Path: "manifest.apiVersion", Message: "must be a group and version, such as v1 or apps/v1"})
	}
	if u.GetKind() == "" {
		problems = append(problems, registry.Problem{Path: "manifest.kind", Message: "must be a kind, such as ConfigMap"})
	}
	if u.GetName() == "" && (!generated || u.GetGenerateName() == "") {
		problems = append(problems, registry.Problem{Path: "manifest.metadata.name", Message: "must be the object's name"})
	}
	return problems
}

// ofManifest makes a write of a manifest. Each time it is sent it gets a copy with its namespace filled in.
func ofManifest(manifest map[string]any, send func(context.Context, object, *unstructured.Unstructured) (*unstructured.Unstructured, error)) (write, error) {
	fields, err := asJSON(manifest)
	if err != nil {
		return write{}, err
	}
	u := &unstructured.Unstructured{Object: fields}
	gv, err := schema.ParseGroupVersion(u.GetAPIVersion())
	if err != nil {
		return write{}, fmt.Errorf("the manifest's apiVersion: %w", err)
	}
	return write{
		target: target{
			group: gv.Group, exact: true, version: gv.Version, kind: u.GetKind(),
			namespace: u.GetNamespace(), name: u.GetName(),
		},
		send: func(ctx context.Context, o object) (*unstructured.Unstructured, error) {
			sent := u.DeepCopy()
			if o.namespace != "" {
				sent.SetNamespace(o.namespace)
			}
			return send(ctx, o, sent)
		},
	}, nil
}

// asJSON copies fields into the types that JSON knows, which is what the client's code expects.
func asJSON(fields map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("its fields are no JSON: %w", err)
	}
	var clean map[string]any
	if err := utiljson.Unmarshal(raw, &clean); err != nil {
		return nil, fmt.Errorf("its fields are no JSON: %w", err)
	}
	return clean, nil
}
