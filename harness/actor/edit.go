package actor

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func editEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "edit",
		Summary: "Reads an object, merges fields into it and writes it back whole (an Update), as kubectl edit does.",
		Example: `name: kubectl-edit
edit:
  object: ConfigMap/shop-config
  merge: {data: {greeting: by hand, obsolete: null}}
`,
		NewSpec:  func() any { return &v1alpha1.Edit{} },
		Validate: validated(validateEdit),
		Code:     code(prepareEdit),
	}
}

// validateEdit refuses what would make another object of it.
func validateEdit(spec *v1alpha1.Edit) []registry.Problem {
	var problems []registry.Problem
	for _, path := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}} {
		if _, set, _ := unstructured.NestedFieldNoCopy(spec.Merge, path...); set {
			problems = append(problems, registry.Problem{
				Path:    "merge." + strings.Join(path, "."),
				Message: "says which object it is and cannot be edited; name the object in object",
			})
		}
	}
	return problems
}

func prepareEdit(spec *v1alpha1.Edit) (write, error) {
	merge, err := asJSON(spec.Merge)
	if err != nil {
		return write{}, err
	}
	return onReference(spec.Object, func(ctx context.Context, o object) (*unstructured.Unstructured, error) {
		return o.rewrite(ctx, func(now *unstructured.Unstructured) error {
			now.Object = mergePatch(now.Object, merge)
			return nil
		})
	})
}

// mergePatch applies a JSON merge patch (RFC 7396) to a document and returns it. The patch is left as it is.
func mergePatch(document, patch map[string]any) map[string]any {
	if document == nil {
		document = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(document, key)
		case map[string]any:
			inner, _ := document[key].(map[string]any)
			document[key] = mergePatch(inner, value)
		default:
			document[key] = runtime.DeepCopyJSONValue(value)
		}
	}
	return document
}
