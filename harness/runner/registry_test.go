package runner

import (
	"slices"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/schema"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// decodeStep decodes a list item that is a step, and validates its spec as a scenario's would be.
func decodeStep(item string) (v1alpha1.Step, []string) {
	var into struct {
		Steps []v1alpha1.Step `json:"steps"`
	}
	var wrong []string
	for _, p := range strictyaml.Decode([]byte("steps:\n"+item), &into, Catalog().Registries()).Problems {
		wrong = append(wrong, p.Path+": "+p.Message)
	}
	if len(into.Steps) != 1 {
		return v1alpha1.Step{}, append(wrong, "no step")
	}
	for _, entry := range Operations().Infos() {
		if entry.Name != into.Steps[0].Do.Kind || entry.Validate == nil {
			continue
		}
		for _, p := range entry.Validate(into.Steps[0].Do.Spec) {
			wrong = append(wrong, p.Path+": "+p.Message)
		}
	}
	return into.Steps[0], wrong
}

// TestOperationsExamples: each example is a step of its own operation, without a mistake.
func TestOperationsExamples(t *testing.T) {
	t.Parallel()
	for _, entry := range Operations().Infos() {
		step, wrong := decodeStep(schema.ListItem(entry.Example))
		if len(wrong) > 0 || step.Do.Kind != entry.Name {
			t.Errorf("%s: the example is of %q: %v", entry.Name, step.Do.Kind, wrong)
		}
		if entry.Summary == "" || !strings.HasSuffix(entry.Summary, ".") {
			t.Errorf("%s: summary %q is no sentence", entry.Name, entry.Summary)
		}
	}
}

// TestOptionsHelmLacks: an option that Helm does not have for an operation is refused, not dropped.
func TestOptionsHelmLacks(t *testing.T) {
	t.Parallel()
	options := []string{
		"serverSide: 'true'", "forceConflicts: true", "forceReplace: true", "wait: legacy", "waitForJobs: true", "timeout: 9s",
		"disableHooks: true", "takeOwnership: true", "cleanupOnFail: true", "maxHistory: 3",
	}
	lacks := map[string][]string{
		"install":   {"cleanupOnFail", "maxHistory"},
		"upgrade":   nil,
		"rollback":  {"takeOwnership"},
		"uninstall": {"serverSide", "forceConflicts", "forceReplace", "waitForJobs", "takeOwnership", "cleanupOnFail", "maxHistory"},
	}
	for operation, lacking := range lacks {
		for _, option := range options {
			name, _, _ := strings.Cut(option, ":")
			_, wrong := decodeStep("- {name: s, " + operation + ": {" + option + "}}\n")
			if refused := len(wrong) > 0; refused != slices.Contains(lacking, name) {
				t.Errorf("%s with %s: %v", operation, option, wrong)
			}
		}
	}
}

func TestValidateUpgrade(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"{}": 0, "{reuseValues: true}": 0, "{resetValues: true}": 0, "{reuseValues: false, resetValues: true}": 0, "{reuseValues: true, resetValues: true}": 1,
	} {
		if _, wrong := decodeStep("- {name: s, upgrade: " + text + "}\n"); len(wrong) != want {
			t.Errorf("%s: %v", text, wrong)
		}
	}
}
