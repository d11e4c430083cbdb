package actor

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

// patchTypes are the types of a patch, by the names that scenarios give them.
var patchTypes = map[string]types.PatchType{
	"":          types.StrategicMergePatchType,
	"strategic": types.StrategicMergePatchType,
	"merge":     types.MergePatchType,
	"json":      types.JSONPatchType,
}

func patchEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "patch",
		Summary: "Sends a patch, as kubectl patch does.",
		Example: `name: kubectl-patch
patch:
  object: Deployment/backend
  type: strategic
  patch: {spec: {template: {spec: {containers: [{name: backend, env: [{name: DEBUG, value: "1"}]}]}}}}
`,
		NewSpec:  func() any { return &v1alpha1.Patch{} },
		Validate: validated(validatePatch),
		Code:     code(preparePatch),
	}
}

func validatePatch(spec *v1alpha1.Patch) []registry.Problem {
	operations, list := spec.Patch.([]any)
	_, mapping := spec.Patch.(map[string]any)
	switch {
	case spec.Type == "json" && !list:
		return []registry.Problem{{Path: "patch", Message: "must be a list of operations, as type is json; for fields to merge, say type: merge"}}
	case spec.Type != "json" && !mapping:
		return []registry.Problem{{Path: "patch", Message: "must be a mapping of fields; for a list of operations, say type: json"}}
	}
	var problems []registry.Problem
	for i, operation := range operations {
		fields, _ := operation.(map[string]any)
		if text(fields["op"]) == "" || text(fields["path"]) == "" {
			problems = append(problems, registry.Problem{
				Path:    fmt.Sprintf("patch[%d]", i),
				Message: "must be an operation such as {op: replace, path: /spec/replicas, value: 3}",
			})
		}
	}
	return problems
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func preparePatch(spec *v1alpha1.Patch) (write, error) {
	kind, ok := patchTypes[spec.Type]
	if !ok {
		return write{}, fmt.Errorf("there is no patch of type %q", spec.Type)
	}
	data, err := json.Marshal(spec.Patch)
	if err != nil {
		return write{}, fmt.Errorf("the patch is no JSON: %w", err)
	}
	var subresource []string
	if spec.Subresource != "" {
		subresource = []string{spec.Subresource}
	}
	return onReference(spec.Object, func(ctx context.Context, o object) (*unstructured.Unstructured, error) {
		patched, err := o.client.Patch(ctx, o.name, kind, data, metav1.PatchOptions{FieldManager: o.manager}, subresource...)
		return patched, explainPatch(err, o, kind, spec.Subresource)
	})
}

// explainPatch says what the API server's error leaves out.
func explainPatch(err error, o object, kind types.PatchType, subresource string) error {
	switch {
	case apierrors.IsUnsupportedMediaType(err) && kind == types.StrategicMergePatchType:
		return fmt.Errorf("%s is a custom resource, which knows no strategic patch; say type: merge: %w", o.kind, err)
	case apierrors.IsInvalid(err) && kind == types.JSONPatchType:
		return fmt.Errorf("the operations do not fit the object (what is tested, replaced or removed must be there) or leave it invalid: %w", err)
	case unserved(err) && subresource != "":
		return fmt.Errorf("%s has no subresource %s: %w", o.kind, subresource, err)
	}
	return err
}
