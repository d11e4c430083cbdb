package fault_test

import (
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/schema"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// decode decodes a list item that is a fault, and validates its spec as a scenario's would be.
func decode(item string) (v1alpha1.Fault, []string) {
	var into struct {
		Faults []v1alpha1.Fault `json:"faults"`
	}
	registries := strictyaml.Registries{"fault": fault.Registry().Infos()}
	var wrong []string
	for _, p := range strictyaml.Decode([]byte("faults:\n"+item), &into, registries).Problems {
		wrong = append(wrong, p.Path+": "+p.Message)
	}
	if len(into.Faults) != 1 {
		return v1alpha1.Fault{}, append(wrong, "no fault")
	}
	if entry, err := fault.Registry().Lookup(into.Faults[0].Do.Kind); err == nil && entry.Validate != nil {
		for _, p := range entry.Validate(into.Faults[0].Do.Spec) {
			wrong = append(wrong, strings.TrimPrefix(p.Path+": "+p.Message, ": "))
		}
	}
	return into.Faults[0], wrong
}

// TestExamples: each example is a fault of its own kind, without a mistake.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, info := range fault.Registry().Infos() {
		spec, wrong := decode(schema.ListItem(info.Example))
		if len(wrong) > 0 || spec.Do.Kind != info.Name {
			t.Errorf("%s: the example is of %q: %v", info.Name, spec.Do.Kind, wrong)
		}
		if !strings.HasSuffix(info.Summary, ".") {
			t.Errorf("%s: summary %q is no sentence", info.Name, info.Summary)
		}
		if _, err := fault.NewLife(spec, fault.Site{}, nil, fault.Note{}); err != nil {
			t.Errorf("%s: %v", info.Name, err)
		}
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"pauseNode: {}":                                                         "names no node; state node or nodeOf",
		"pauseNode: {node: 0}":                                                  "node: is no number of a node; the first one is 1",
		"killNode: {node: 1, nodeOf: Pod/x}":                                    "nodeOf: names another node than node does; keep one of them",
		"cordonNode: {node: worker}":                                            "",
		"drainNode: {nodeOf: Pod/x}":                                            "",
		"taintNode: {node: 1, key: a/b/c}":                                      "key: is no key of a taint: ",
		"taintNode: {node: 1, value: a/b}":                                      "value: is no value of a taint: ",
		"taintNode: {node: 1}":                                                  "",
		"deletePod: {workload: Service/x}":                                      "workload: Service has no pods of its own; want one of ",
		"evictPod: {workload: Service/x}":                                       "workload: Service has no pods of its own; want one of ",
		"crashContainer: {workload: Node/x}":                                    "workload: Node has no pods of its own; want one of ",
		"unpullableImage: {workload: Node/x}":                                   "workload: Node has no pods of its own; want one of ",
		"deletePod: {workload: Job/x, pods: 0}":                                 "",
		"webhook: {match: {resources: [pods]}}":                                 "must do exactly one thing; state one of rejects, slow, down: true",
		"webhook: {down: true, slow: 1s, match: {resources: [pods]}}":           "must do exactly one thing; ",
		"webhook: {down: true, timeoutSeconds: 31, match: {resources: [pods]}}": "timeoutSeconds: is more than the API server accepts: 30",
		"webhook: {rejects: no, match: {resources: [Deployment]}}":              `match.resources[0]: "Deployment" is no resource; `,
		"webhook: {slow: 1s, match: {operations: [DELETE], resources: ['*']}}":  "",
		"denyAdmission: {resources: [pods, Pod]}":                               `resources[1]: "Pod" is no resource; `,
		"denyAdmission: {resources: [pods/eviction], operations: [CREATE]}":     "",
		"quota: {hard: {pods: 4, requests.cpu: 500m}}":                          "",
		"quota: {hard: {pods: many}}":                                           `hard.pods: "many" is no quantity, `,
		"quota: {hard: {}}":                                                     "faults[0].quota.hard: must not be empty",
		"blockEvictions: {workload: Job/x}":                                     "workload: no budget can be had for a Job; want one of ",
		"pendingVolume: {}":                                                     "",

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
		"pauseAPIServer: {}":                                                          "",
		"killAPIServer: {for: 100ms}":                                                 "faults[0].killAPIServer.for: ",
		"slowEtcd: {stall: 2s}":                                                       "stall: is more than 1.5s: the API server would call itself unready",
		"slowEtcd: {stall: 1ms}":                                                      "faults[0].slowEtcd.stall: ",
		"api: {}":                                                                     "does nothing; state latency, respond or break",
		"api: {latency: 1s}":                                                          "",
		"api: {break: reset, respond: {status: 500}}":                                 "break: contradicts respond; keep one of them",
		"api: {respond: {status: 499}}":                                               "respond.status: is no status of HTTP",
		"api: {respond: {status: 429, retryAfter: 1500ms}}":                           "respond.retryAfter: is not in whole seconds",
		"api: {break: dropWatch, match: {verb: get}}":                                 "match.verb: no get can suffer a dropWatch; leave it out, or state watch",
		"api: {break: resetWatch, events: 2}":                                         "",
		"api: {break: reset, events: 1}":                                              "events: only a watch has events; ",
		"api: {break: reset, match: {probability: 101}}":                              "match.probability: is more than 100 percent",
		"api: {break: reset, match: {name: 'a*b'}}":                                   "match.name: has a * that is not at its end",
		"api: {break: stallWatch, events: 2, match: {name: 'a*'}}":                    "",
	} {
		_, wrong := decode("- {name: f, " + text + "}\n")
		if want == "" && len(wrong) > 0 || want != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[0], want)) {
			t.Errorf("%s: %q, want %q", text, wrong, want)
		}
	}
}

// TestWide: what reaches beyond a namespace is known, since scenarios with it share no cluster.
func TestWide(t *testing.T) {
	t.Parallel()
	for _, info := range fault.Registry().Infos() {
		entry, err := fault.Registry().Lookup(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.HasSuffix(info.Name, "Node") || strings.HasSuffix(info.Name, "APIServer") || info.Name == "slowEtcd"
		if entry.Code.Wide != want {
			t.Errorf("%s: wide is %t", info.Name, entry.Code.Wide)
		}
	}
}
