package fault_test

import (
	"strings"
	"testing"
)

// TestStateValidation: what is wrong with faults of Helm's access, records and hooks is told.
func TestStateValidation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"revokeAccess: {}":                                                            "would leave Helm no access at all; state verbs, groups or resources",
		"revokeAccess: {groups: [apps]}":                                              "",
		"revokeAccess: {verbs: [get], names: [x]}":                                    "names: names objects of no resource; state resources",
		"revokeAccess: {verbs: [list], resources: [a], names: [x]}":                   "verbs[0]: its requests name no object, so that names cannot limit them; leave it or names out",
		"stickFinalizer: {}":                                                          "faults[0].stickFinalizer.object: is required: ",
		"terminateNamespace: {}":                                                      "",
		"releaseSecret: {becomes: gone}":                                              "faults[0].releaseSecret.becomes: want one of deleted, ",
		"releaseSecret: {revision: -1, becomes: deleted}":                             "faults[0].releaseSecret.revision: want at least 1, found -1",
		"releaseSecret: {becomes: tooLarge}":                                          "",
		"leftoverHook: {}":                                                            "leaves nothing; state hook or job",
		"leftoverHook: {hook: Pod/x}":                                                 "hook: Pod is no Job; only Jobs can be left over",
		"leftoverHook: {job: {kind: Job}}":                                            "job: is no Job of batch/v1 with a name",
		"leftoverHook: {hook: Job/x, job: {kind: Job}}":                               "job: contradicts hook; keep one of them",
		"leftoverHook: {job: {apiVersion: batch/v1, kind: Job, metadata: {name: x}}}": "",
	} {
		_, wrong := decode("- {name: f, " + text + "}\n")
		if want == "" && len(wrong) > 0 || want != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[0], want)) {
			t.Errorf("%s: %q, want %q", text, wrong, want)
		}
	}
}
