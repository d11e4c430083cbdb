package actor_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	want := []string{"scale", "edit", "patch", "apply", "delete", "create"}
	if got := actor.Registry().Names(); !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
	for _, info := range actor.Registry().Infos() {
		var item map[string]any
		if err := yaml.Unmarshal([]byte(info.Example), &item); err != nil {
			t.Errorf("the example of %s: %v", info.Name, err)
			continue
		}
		if item["name"] == nil || item[info.Name] == nil {
			t.Errorf("the example of %s is of something else: %v", info.Name, item)
		}
		if info.Validate == nil {
			continue
		}
		if problems := info.Validate(info); problems != nil {
			t.Errorf("%s finds problems in a spec that is not its own: %v", info.Name, problems)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec any
		// paths are where problems must be found.
		paths []string
	}{
		"edit":               {&v1alpha1.Edit{Merge: fields(t, `{metadata: {labels: {a: b}}, spec: {}}`)}, nil},
		"edit of identity":   {&v1alpha1.Edit{Merge: fields(t, `{kind: A, metadata: {name: null}}`)}, []string{"merge.kind", "merge.metadata.name"}},
		"strategic patch":    {&v1alpha1.Patch{Patch: fields(t, `{spec: {}}`)}, nil},
		"list for strategic": {&v1alpha1.Patch{Patch: []any{}}, []string{"patch"}},
		"text for merge":     {&v1alpha1.Patch{Type: "merge", Patch: "a"}, []string{"patch"}},
		"mapping for json":   {&v1alpha1.Patch{Type: "json", Patch: fields(t, `{spec: {}}`)}, []string{"patch"}},
		"json patch":         {&v1alpha1.Patch{Type: "json", Patch: []any{fields(t, `{op: remove, path: /spec}`)}}, nil},
		"no operations":      {&v1alpha1.Patch{Type: "json", Patch: []any{fields(t, `{op: add, path: /a}`), "x", fields(t, `{op: add}`)}}, []string{"patch[1]", "patch[2]"}},
		"apply":              {&v1alpha1.Apply{Manifest: fields(t, configMap)}, nil},
		"nothing":            {&v1alpha1.Apply{}, []string{"manifest.apiVersion", "manifest.kind", "manifest.metadata.name"}},
		"bad version":        {&v1alpha1.Apply{Manifest: fields(t, `{apiVersion: a/b/c, kind: A, metadata: {name: a}}`)}, []string{"manifest.apiVersion"}},
		"apply needs a name": {&v1alpha1.Apply{Manifest: fields(t, `{apiVersion: v1, kind: A, metadata: {generateName: a}}`)}, []string{"manifest.metadata.name"}},
		"create does not":    {&v1alpha1.Create{Manifest: fields(t, `{apiVersion: v1, kind: A, metadata: {generateName: a}}`)}, nil},
		"numbers for texts":  {&v1alpha1.Create{Manifest: fields(t, `{apiVersion: 1, kind: 2, metadata: 3}`)}, []string{"manifest.apiVersion", "manifest.kind", "manifest.metadata.name"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry, err := actor.Registry().Lookup(choice(tc.spec).Kind)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, problem := range entry.Validate(tc.spec) {
				paths = append(paths, problem.Path)
				if problem.Message == "" || strings.HasSuffix(problem.Message, ".") {
					t.Errorf("%s: message %q", problem.Path, problem.Message)
				}
			}
			if !slices.Equal(paths, tc.paths) {
				t.Errorf("problems at %q, want %q", paths, tc.paths)
			}
		})
	}
}
