package assert

import (
	"fmt"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/verdict"
)

// blameIssue fills in the scenario's known issue, and says of a failure what it means for the issue: nothing, if the
// harness had failed by then.
func (v *View) blameIssue(out *verdict.Verdict, scenario *v1alpha1.KnownIssue) {
	if out.KnownIssue == "" && scenario != nil {
		out.KnownIssue = scenario.Issue
	}
	if out.KnownIssue == "" || out.Status != verdict.Failed || v.erroredBy(out.Step) {
		return
	}
	version := ""
	if strings.HasPrefix(out.KnownIssue, "helm/helm#") {
		version = " in " + strings.TrimSpace("Helm "+v.Bundle.Variant.Versions["helm"])
	}
	out.Message = fmt.Sprintf("the behaviour that %s describes was not seen; it may have been fixed%s: %s",
		out.KnownIssue, version, out.Message)
}

// erroredBy tells whether the harness failed in a step or in one before it; no step means the whole run.
func (v *View) erroredBy(step string) bool {
	for _, name := range v.Bundle.Variant.Steps {
		if w := v.windows[name]; w.ended() && w.finished.Finished.Errored {
			return true
		}
		if name == step {
			break
		}
	}
	return false
}
