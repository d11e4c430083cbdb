package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"rehearse.dev/rehearse/charts"
)

// TestReadmeScenario: the README's scenario loads, fits the schema, and its chart renders in every step.
func TestReadmeScenario(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(readme, -1)
	if len(blocks) != 1 {
		t.Fatalf("the README has %d blocks of YAML; this test knows of one", len(blocks))
	}
	text := blocks[0][1]
	checkYAML(t, part(t, ""), text)

	dir := t.TempDir()
	path := filepath.Join(dir, "rehearsals", "readme.yaml") // beside charts, as the scenario has it
	if err := errors.Join(charts.Extract(filepath.Join(dir, "charts")), os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
		t.Fatal(err)
	}
	plans, err := (&selection{}).plans(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	if len(plans) != 1 {
		t.Fatalf("%d plans of it", len(plans))
	}
	for _, r := range plans[0].Scenario.Spec.Readiness {
		if !slices.Contains(plans[0].Renders, r.Workload) {
			t.Errorf("the chart renders no %s: %q", r.Workload, plans[0].Renders)
		}
	}
}
