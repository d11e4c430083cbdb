// Package scenarios_test checks what holds for every scenario of the repository.
package scenarios_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// TestConventions holds the files to what the guide says of them.
func TestConventions(t *testing.T) {
	t.Parallel()
	files := load(t)
	guide, err := os.ReadFile(filepath.Join("..", "harness", "docs", "scenarios.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Scenario.Metadata.Name, func(t *testing.T) {
			t.Parallel()
			check(t, f, string(guide))
		})
	}
}

func load(t *testing.T) []scenario.File {
	t.Helper()
	files, err := scenario.Load([]string{"."}, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFaultKinds: of every kind of fault there is a scenario that wants to see it take effect.
func TestFaultKinds(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, f := range load(t) {
		for _, spec := range f.Scenario.Spec.Faults {
			shown[spec.Do.Kind] = shown[spec.Do.Kind] || wantsFirings(f.Scenario.Spec.Assert, spec.Name)
		}
	}
	for _, kind := range fault.Registry().Names() {
		if !shown[kind] {
			t.Errorf("no scenario has a fault of kind %s and asserts its firings", kind)
		}
	}
}

// wantsFirings reports whether an assertion fails unless a fault takes effect.
func wantsFirings(asserts []v1alpha1.Assertion, name string) bool {
	return slices.ContainsFunc(asserts, func(a v1alpha1.Assertion) bool {
		f, ok := a.Do.Spec.(*v1alpha1.Firings)
		return ok && f.Fault == name && (f.Min == nil && f.Max == nil || f.Min != nil && *f.Min > 0)
	})
}

func check(t *testing.T, f scenario.File, guide string) {
	meta, spec := f.Scenario.Metadata, f.Scenario.Spec
	if want := filepath.Base(f.Dir); meta.Labels["area"] != want {
		t.Errorf("label area is %q, its folder is %s", meta.Labels["area"], want)
	}
	if tier := meta.Labels["tier"]; tier != "smoke" && tier != "nightly" {
		t.Errorf("label tier is %q, neither smoke nor nightly", tier)
	}
	if want := meta.Name + ".yaml"; filepath.Base(f.Path) != want {
		t.Errorf("its file is not called %s", want)
	}
	sentence, ends := strings.CutSuffix(spec.Description, ".")
	if !ends || strings.Contains(sentence, ". ") {
		t.Errorf("the description is not one sentence: %s", spec.Description)
	}
	if len(spec.Assert) == 0 {
		t.Error("asserts nothing")
	}
	if record := spec.TrackRecord; record != nil && (meta.Labels["pitfall"] == "" || strings.HasSuffix(record.Defect, ".")) {
		t.Errorf("its trackRecord has no label pitfall, or ends with a full stop: %s", record.Defect)
	}
	if spec.KnownIssue != nil && spec.KnownIssue.Summary == "" {
		t.Error("the known issue has no summary")
	}
	if !strings.Contains(guide, "`"+meta.Name+"`") {
		t.Error("the guide does not list it")
	}
}
