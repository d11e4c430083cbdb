package runner

import (
	"context"
	"path/filepath"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
)

// open is a cluster whose API server reaches the harness.
type open struct{ fragile }

func (o open) HarnessAddress(ctx context.Context) (string, error) {
	return o.Cluster.(cluster.Reaching).HarnessAddress(ctx)
}

// claiming is a chart of a StatefulSet whose pods want volumes.
var claiming = map[string]string{
	"claiming/Chart.yaml": "apiVersion: v2\nname: claiming\nversion: 0.1.0\n",
	"claiming/templates/db.yaml": `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: {{ .Values.replicas | default 1 }}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "db:v1", volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
	"app/Chart.yaml":         app["app/Chart.yaml"],
	"app/templates/app.yaml": app["app/templates/app.yaml"],
}

// TestAdmissionFaults: what faults at admission and scheduling do to Helm, and that each firing is counted in its step.
func TestAdmissionFaults(t *testing.T) {
	t.Parallel()
	const (
		deployments = "match: {operations: [UPDATE], groups: [apps], resources: [deployments]}"
		install     = "  steps:\n  - {name: v1, install: {}}\n"
		fires       = "injected propagated fired@v2 recovered recoverySeen cleanedUp"
	)
	v2 := func(timeout, more string) string {
		return install + "  - {name: v2, upgrade: {values: {tag: v2}" + timeout + "}, during: [f]" + more + "}\n"
	}
	succeeds := v2("", "") // Helm's own timeout: a busy machine may need more than a few seconds
	says := func(text string) string { return v2("", ", expect: {status: failed, error: "+text+"}") }
	late := ", expect: {status: failed, error: not ready}" // Helm's wait ends in vain
	tests := map[string]struct {
		spec string
		// phases are those of the fault f.
		phases string
	}{
		"rejects":      {"  faults: [{name: f, webhook: {rejects: not today, " + deployments + "}}]\n" + says("not today"), fires},
		"down":         {"  faults: [{name: f, webhook: {down: true, " + deployments + "}}]\n" + says("connection refused"), fires},
		"down-ignored": {"  faults: [{name: f, webhook: {down: true, failurePolicy: Ignore, " + deployments + "}}]\n" + succeeds, fires},
		"slow":         {"  faults: [{name: f, webhook: {slow: 100ms, " + deployments + "}}]\n" + succeeds, fires},
		"too-slow":     {"  faults: [{name: f, webhook: {slow: 30s, timeoutSeconds: 1, " + deployments + "}}]\n" + says("failed calling webhook"), fires},
		"expression": {
			"  faults: [{name: f, webhook: {rejects: no, match: {resources: [deployments], expression: object.metadata.name == 'other'}}}]\n" + succeeds,
			"injected propagated recovered recoverySeen cleanedUp",
		},
		"denied": {"  faults: [{name: f, denyAdmission: {resources: [deployments], message: not today}}]\n" + says("not today"), fires},
		// The upgrade's first pod is one too many.
		"quota": {"  faults: [{name: f, quota: {hard: {pods: 2}}}]\n" + v2(", timeout: 3s", late), fires},
		// Helm cannot even store the revision.
		"quota-of-writes": {
			"  faults: [{name: f, quota: {hard: {count/secrets: 1}}}]\n" + v2("", ", expect: {status: deployed, revision: 1, error: exceeded quota}"), fires,
		},
		"budget": {
			"  faults: [{name: f, blockEvictions: {workload: Deployment/app}}, {name: g, timeout: 1s, requireFired: false, evictPod: {workload: Deployment/app, pods: 0}}]\n" +
				install + "  - {name: break, inject: f}\n  - {name: try, inject: g}\n  - {name: mend, recover: f}\n",
			"injected@break propagated@break fired@try recovered@mend recoverySeen@mend cleanedUp",
		},
	}
	specs := map[string]string{
		"volume": "  release: {name: r, chart: claiming}\n  faults: [{name: f, pendingVolume: {claim: data-db-1}}]\n" + install +
			"  - {name: v2, upgrade: {values: {replicas: 2}, timeout: 3s}, during: [f]" + late + "}\n  - {name: v3, upgrade: {values: {replicas: 2}}}\n",
	}
	tests["volume"] = struct{ spec, phases string }{"", fires}
	for name, test := range tests {
		if test.spec != "" {
			specs[name] = appRelease + test.spec
		}
	}
	out, dir := performIn(t, t.Context(), Config{Attached: open{fragile{borrow(t)}}, Journal: openJournal(t), Parallel: 4}, prepare(t, specs, claiming))
	if len(out.Variants) != len(tests) {
		t.Errorf("%d variants", len(out.Variants))
	}
	for _, v := range out.Variants {
		t.Run(v.Scenario, func(t *testing.T) {
			t.Parallel()
			if got := phasesOf(t, filepath.Join(dir, v.Dir), "f"); got != tests[v.Scenario].phases {
				t.Errorf("%s, want %s", got, tests[v.Scenario].phases)
			}
			for _, d := range v.Verdicts {
				if idle := v.Scenario == "expression" && d.Kind == "fault"; d.Status != "passed" && !idle {
					t.Errorf("%s %s: %s", d.Name, d.Status, d.Message)
				}
			}
		})
	}
}
