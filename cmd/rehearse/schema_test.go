package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/schema"
	"rehearse.dev/rehearse/harness/strictyaml"
)

const (
	schemaFile  = "../../scenarios/schema/scenario.v1alpha1.json"
	scenarioDir = "../../scenarios"
)

// TestSchemaFileIsCurrent: -update writes it anew; rehearse schema prints it.
func TestSchemaFileIsCurrent(t *testing.T) {
	t.Parallel()
	got, err := schema.JSON(runner.Catalog().Registries())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s has drifted (-want +got); run go test ./cmd/rehearse -run SchemaFile -update:\n%s", schemaFile, diff)
	}
}

// part compiles the schema, or one of its definitions.
func part(t *testing.T, fragment string) *jsonschema.Schema {
	t.Helper()
	data, err := schema.JSON(runner.Catalog().Registries())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("scenario.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("scenario.json" + fragment)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkYAML(t *testing.T, s *jsonschema.Schema, text []byte) {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(instance); err != nil {
		t.Errorf("the schema refuses it: %v", err)
	}
}

// TestScenariosAreValid: every scenario that the program brings loads, and fits the schema.
func TestScenariosAreValid(t *testing.T) {
	t.Parallel()
	files, err := scenario.Load([]string{scenarioDir}, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	s := part(t, "")
	for _, file := range files {
		t.Run(file.Scenario.Metadata.Name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file.Path)
			if err != nil {
				t.Fatal(err)
			}
			checkYAML(t, s, text)
		})
	}
}

// examples is the part of a scenario that examples are items of.
type examples struct {
	Steps  []v1alpha1.Step      `json:"steps"`
	Actors []v1alpha1.Actor     `json:"actors"`
	Assert []v1alpha1.Assertion `json:"assert"`
}

func (e examples) first() v1alpha1.Choice {
	switch {
	case len(e.Steps) > 0:
		return e.Steps[0].Do
	case len(e.Actors) > 0:
		return e.Actors[0].Do
	case len(e.Assert) > 0:
		return e.Assert[0].Do
	}
	return v1alpha1.Choice{}
}

// TestExamplesAreValid: the example of every registry entry decodes into that entry, and fits the schema.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	c := runner.Catalog()
	for list, infos := range map[string][]registry.Info{"steps": c.Operations, "actors": c.Actors, "assert": c.Assertions} {
		s := part(t, "#/$defs/Spec/properties/"+list)
		for _, info := range infos {
			t.Run(list+" "+info.Name, func(t *testing.T) {
				t.Parallel()
				item := schema.ListItem(info.Example)
				checkYAML(t, s, []byte(item))
				var into examples
				for _, p := range strictyaml.Decode([]byte(list+":\n"+item), &into, c.Registries()).Problems {
					t.Errorf("line %d: %s: %s", p.Line-1, p.Path, p.Message)
				}
				do := into.first()
				if do.Kind != info.Name {
					t.Fatalf("the example is of %q", do.Kind)
				}
				if info.Validate == nil {
					return
				}
				for _, problem := range info.Validate(do.Spec) {
					t.Errorf("%s: %s", problem.Path, problem.Message)
				}
			})
		}
	}
}
