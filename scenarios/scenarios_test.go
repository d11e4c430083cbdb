// Package scenarios_test checks what holds for every scenario of the repository.
package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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

// TestFaultKinds: of every kind of fault, and of every form of it, there is a scenario that wants to see it take effect.
func TestFaultKinds(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, f := range load(t) {
		for _, spec := range f.Scenario.Spec.Faults {
			for _, form := range formsOf(spec) {
				shown[form] = shown[form] || wantsFirings(f.Scenario.Spec.Assert, spec.Name)
			}
		}
	}
	for _, form := range allForms(t) {
		if !shown[form] {
			t.Errorf("no scenario has a fault of form %q and asserts its firings", form)
		}
	}
}

// allForms are the kinds of faults, each alone and with each value of its fields that have a choice of values.
func allForms(t *testing.T) []string {
	t.Helper()
	all := []string{
		"api status 409", "api status 429", "api status 500", "api status 503", "api latency",
		"webhook rejects", "webhook slow", "webhook down, Fail", "webhook down, Ignore",
	}
	for _, kind := range fault.Registry().Names() {
		entry, err := fault.Registry().Lookup(kind)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kind)
		for _, field := range reflect.VisibleFields(reflect.TypeOf(entry.NewSpec()).Elem()) {
			if choice := field.Tag.Get("enum"); choice != "" && field.Type.Kind() == reflect.String {
				for value := range strings.SplitSeq(choice, ",") {
					all = append(all, formOf(kind, field, value))
				}
			}
		}
	}
	return all
}

// formsOf are the forms that a fault has.
func formsOf(f v1alpha1.Fault) []string {
	kind, value := f.Do.Kind, reflect.ValueOf(f.Do.Spec).Elem()
	forms := []string{kind}
	for _, field := range reflect.VisibleFields(value.Type()) {
		if field.Tag.Get("enum") != "" && field.Type.Kind() == reflect.String {
			forms = append(forms, formOf(kind, field, value.FieldByIndex(field.Index).String()))
		}
	}
	switch spec := f.Do.Spec.(type) {
	case *v1alpha1.API:
		switch {
		case spec.Respond != nil:
			forms = append(forms, fmt.Sprintf("api status %d", spec.Respond.Status))
		case spec.Break == "":
			forms = append(forms, "api latency")
		}
	case *v1alpha1.Webhook:
		switch {
		case spec.Rejects != nil:
			forms = append(forms, "webhook rejects")
		case spec.Slow != nil:
			forms = append(forms, "webhook slow")
		default:
			forms = append(forms, "webhook down, "+spec.FailurePolicy)
		}
	}
	return forms
}

func formOf(kind string, field reflect.StructField, value string) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return kind + " " + name + " " + value
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
