package schema_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/scenario/scenariotest"
	"rehearse.dev/rehearse/harness/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// compiled returns the schema, ready to validate.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := schema.JSON(scenariotest.Catalog().Registries())
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
	s, err := compiler.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instance(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const frame = `
apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: demo}
spec:
  description: Tests the schema.
  release: {name: shop, chart: "oci://example.invalid/shop"}
%s`

// TestSchemaAgreesWithDecoding: what the one accepts the other does.
func TestSchemaAgreesWithDecoding(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	catalog := scenariotest.Catalog()
	for rest, valid := range map[string]bool{
		"  steps: [{name: v1, install: {}}]":                                         true,
		"  steps: [{name: v1, install: {serverSide: true}}]":                         true,
		"  steps: [{name: v1, install: {serverSide: 'true'}}]":                       true,
		"  steps: [{name: v1, install: {serverSide: maybe}}]":                        false,
		"  steps: [{name: v1, install: {serverSide: 1}}]":                            false,
		"  steps: [{name: v1, install: {values: {a: [1, null, {b: x}]}}}]":           true,
		"  steps: [{name: v1, install: null}]":                                       false,
		"  steps: [{name: v1, rollback: 1}]":                                         true,
		"  steps: [{name: v1, rollback: -1}]":                                        false,
		"  steps: [{name: v1, rollback: one}]":                                       false,
		"  steps: [{name: v1, rollback: {takeOwnership: true}}]":                     false,
		"  steps: [{name: v1, uninstall: {maxHistory: 1}}]":                          false,
		"  steps: [{name: v1, install: {}, upgrade: {}}]":                            false,
		"  steps: [{name: v1}]":                                                      false,
		"  steps: [{name: V1, install: {}}]":                                         false,
		"  steps: [{name: v1, instal: {}}]":                                          false,
		"  steps: [{name: v1, timeout: 5s, install: {}}]":                            true,
		"  steps: [{name: v1, timeout: 5, install: {}}]":                             false,
		"  steps: [{name: v1, timeout: 5 s, install: {}}]":                           false,
		"  steps: [{name: v1, install: {}, expect: {error: deadline, revision: 1}}]": true,
		"  steps: [{name: v1, install: {}, expect: {error: [deadline]}}]":            false,
		"  steps: [{name: v1, install: {}, expect: {revision: 0}}]":                  false,
		"  steps: []": false,
		"  steps: [{name: v1, install: {}}]\n  matrix: {serverSide: [auto, true], maxHistory: [1]}":                                   true,
		"  steps: [{name: v1, install: {}}]\n  matrix: {serverSide: true}":                                                            false,
		"  steps: [{name: v1, install: {}}]\n  cluster: {nodes: 0}":                                                                   false,
		"  steps: [{name: v1, install: {}}]\n  knownIssue: helm/helm#1":                                                               true,
		"  steps: [{name: v1, install: {}}]\n  actors: [{name: hpa, scale: {workload: Deployment/a, replicas: 5}}]":                   true,
		"  steps: [{name: v1, install: {}}]\n  actors: [{name: hpa, scale: {workload: Deployment/a, replicas: 3000000000}}]":          false,
		"  steps: [{name: v1, install: {}}]\n  actors: [{name: hpa, scale: {workload: Deployment/a}}]":                                false,
		"  steps: [{name: v1, install: {}}]\n  actors: [{name: ed, edit: {object: Pod/a, merge: {}}}]":                                false,
		"  steps: [{name: v1, install: {}}]\n  assert: [{ledger: {statuses: {1: failed}}}]":                                           true,
		"  steps: [{name: v1, install: {}}]\n  assert: [{ledger: {statuses: {x: failed}}}]":                                           false,
		"  steps: [{name: v1, install: {}}]\n  assert: [{ownership: {object: Pod/a, managers: [helm, {name: x, operation: Apply}]}}]": true,
		"  steps: [{name: v1, install: {}}]\n  assert: [{ownership: {object: Pod/a, managers: [{operation: Apply}]}}]":                false,
		"  steps: [{name: v1, install: {}}]\n  assert: [{name: x}]":                                                                   false,
		"  steps: [{name: v1, install: {}}]\n  readiness: [{workload: Job/a, flap: {ready: 1s, notReady: 2s}}]":                       true,
		"  steps: [{name: v1, install: {}}]\n  unknown: 1":                                                                            false,
	} {
		t.Run(rest, func(t *testing.T) {
			t.Parallel()
			text := fmt.Sprintf(frame, rest)
			schemaErr := s.Validate(instance(t, text))
			if (schemaErr == nil) != valid {
				t.Errorf("the schema says %v, want valid: %t", schemaErr, valid)
			}
			if _, err := scenario.Parse("demo.yaml", []byte(text), catalog); (err == nil) != valid {
				t.Errorf("decoding says %v, want valid: %t", err, valid)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, args := range [][2]string{{"", ""}, {"scenario", ""}, {"step", ""}, {"actor", ""}, {"assert", ""}, {"step", "rollback"}, {"actor", "patch"}, {"assert", "ownership"}} {
		text, err := schema.Explain(scenariotest.Catalog().Registries(), args[0], args[1])
		if err != nil {
			t.Fatalf("explain %v: %v", args, err)
		}
		fmt.Fprintf(&all, "$ rehearse explain %s\n%s\n", strings.TrimSpace(args[0]+" "+args[1]), text)
	}
	if *update {
		if err := os.WriteFile("testdata/explain.golden", []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/explain.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("explain (-want +got); -update writes it anew:\n%s", diff)
	}
}

func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	for args, want := range map[[2]string]string{
		{"stpe", ""}:         `there is no topic "stpe" (did you mean "step"?)`,
		{"step", "rolback"}:  `there is no operation "rolback" (did you mean "rollback"?)`,
		{"scenario", "spec"}: "scenario has no entries to name; run: rehearse explain scenario",
	} {
		if _, err := schema.Explain(scenariotest.Catalog().Registries(), args[0], args[1]); err == nil || err.Error() != want {
			t.Errorf("explain %v: %v, want %s", args, err, want)
		}
	}
}
