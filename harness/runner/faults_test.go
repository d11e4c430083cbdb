package runner

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/verdict"
)

// fragile is a borrowed cluster that can be broken.
type fragile struct{ *borrowed }

func (f fragile) breakable() cluster.Breakable { return f.Cluster.(cluster.Breakable) }

func (f fragile) PauseNode(ctx context.Context, node string) error {
	return f.breakable().PauseNode(ctx, node)
}

func (f fragile) ResumeNode(ctx context.Context, node string) error {
	return f.breakable().ResumeNode(ctx, node)
}

func (f fragile) KillNode(ctx context.Context, node string) error {
	return f.breakable().KillNode(ctx, node)
}

func (f fragile) StartNode(ctx context.Context, node string) error {
	return f.breakable().StartNode(ctx, node)
}

func (f fragile) CrashContainer(ctx context.Context, c cluster.ContainerRef) error {
	return f.breakable().CrashContainer(ctx, c)
}

// app is a chart of one Deployment.
var app = map[string]string{
	"app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n",
	"app/templates/app.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      initContainers: [{name: prepare, image: "app:prepare"}]
      containers: [{name: app, image: "app:{{ .Values.tag | default "v1" }}"}]
`,
}

const appRelease = "  release: {name: r, chart: app}\n"

// faultsOf is what became of steps and faults: "v1 passed", "fault f inconclusive".
func faultsOf(v verdict.Variant) string {
	var all []string
	for _, d := range v.Verdicts {
		if d.Kind == "step" || d.Kind == "fault" {
			all = append(all, d.Name+" "+string(d.Status))
		}
	}
	return strings.Join(all, ", ")
}

// phasesOf lists what befell a fault, from its evidence, each phase with the step it fell into.
func phasesOf(t *testing.T, dir, name string) string {
	t.Helper()
	bundle, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range bundle.Timeline {
		if e.Fault != nil && e.Fault.Name == name {
			all = append(all, strings.TrimSuffix(string(e.Fault.Phase)+"@"+e.Step, "@"))
		}
	}
	return strings.Join(all, " ")
}

// TestFaults runs scenarios with faults of every outcome on one cluster, which outlives them.
func TestFaults(t *testing.T) {
	t.Parallel()
	const upgrade = "{name: v2, upgrade: {values: {tag: v2}}"
	type faultTest struct {
		spec string
		want string // verdicts on steps and faults
		// phases are those of the fault f; not compared if empty.
		phases string
	}
	tests := map[string]faultTest{
		"during": {
			"  faults: [{name: f, deletePod: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f]}]\n",
			"v1 passed, v2 passed, fault f passed", "injected fired propagated recovered recoverySeen cleanedUp",
		},
		"over-steps": {
			"  faults: [{name: f, unpullableImage: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}}, {name: v2, upgrade: {values: {tag: v2}, wait: hookOnly}, during: [f]}, {name: held, await: {object: Deployment/app, status: InProgress}, during: [f]}, {name: settled, await: {object: Deployment/app, status: Current}}]\n",
			"v1 passed, v2 passed, held passed, settled passed, fault f passed", "",
		},
		"by-operation": {
			"  faults: [{name: f, evictPod: {workload: Deployment/app, pods: 0}}]\n  steps: [{name: v1, install: {}}, {name: break, inject: f}, {name: mend, recover: f}]\n",
			"v1 passed, break passed, mend passed, fault f passed", "injected@break fired@break fired@break propagated@break recovered@mend recoverySeen@mend cleanedUp",
		},
		"while-it-runs": {
			"  readiness: [{workload: Deployment/app, steps: [v2], delay: 2s}]\n  faults: [{name: f, after: 300ms, crashContainer: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f]}]\n",
			"v1 passed, v2 passed, fault f passed", "injected@v2 fired@v2 propagated@v2 recovered recoverySeen cleanedUp",
		},
		"no-target": {
			"  faults: [{name: f, deletePod: {workload: Deployment/none}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f]}, {name: back, rollback: 1}]\n",
			"v1 passed, v2 inconclusive, back skipped, fault f inconclusive", "failed recovered recoverySeen cleanedUp",
		},
		"no-target-needed": {
			"  faults: [{name: f, requireFired: false, deletePod: {workload: Deployment/none}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f]}]\n",
			"v1 passed, v2 passed, fault f passed", "",
		},
		"too-late": {
			"  faults: [{name: f, after: 1h, deletePod: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f]}]\n",
			"v1 passed, v2 passed, fault f inconclusive", "cleanedUp",
		},
		// That the upgrade succeeds says nothing, since what was to make it fail came too late.
		"too-late-to-fail": {
			"  faults: [{name: f, after: 1h, deletePod: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f], expect: {error: deadline}}]\n",
			"v1 passed, v2 inconclusive, fault f inconclusive", "cleanedUp",
		},
		"mended-after-a-failure": {
			"  faults: [{name: f, unpullableImage: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}}, {name: break, inject: f}, {name: v2, upgrade: {values: {tag: v2}, timeout: 3s}}, {name: mend, recover: f}]\n",
			"v1 passed, break passed, v2 failed, mend skipped, fault f passed", "",
		},
		"mended-in-finally": {
			"  faults: [{name: f, evictPod: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}, expect: {status: failed}}, {name: break, inject: f}]\n  finally: [{name: mend, recover: f}]\n",
			"v1 failed, break skipped, mend passed, fault f skipped", "cleanedUp",
		},
	}
	const refuse = "{name: f, api: {match: {verb: patch, resource: deployments}, respond: {status: 503}}}"
	tests["lies-in-wait"] = faultTest{
		"  faults: [" + refuse + "]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f], expect: {error: unable to handle, status: failed}}]\n",
		"v1 passed, v2 passed, fault f passed", "injected armed fired@v2 recovered recoverySeen cleanedUp",
	}
	// Nothing is wrong with the upgrade, but that was not to be shown.
	tests["waits-in-vain"] = faultTest{
		"  faults: [{name: f, api: {match: {resource: jobs}, break: reset}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f]}]\n",
		"v1 passed, v2 passed, fault f inconclusive", "injected armed recovered recoverySeen cleanedUp",
	}
	tests["waits-in-vain-to-fail"] = faultTest{
		"  faults: [{name: f, api: {match: {resource: jobs}, break: reset}}]\n  steps: [{name: v1, install: {}}, " + upgrade + ", during: [f], expect: {error: reset}}]\n",
		"v1 passed, v2 inconclusive, fault f inconclusive", "",
	}
	specs := map[string]string{}
	for name, test := range tests {
		specs[name] = appRelease + test.spec
	}
	j := openJournal(t)
	out, dir := performIn(t, t.Context(), Config{Attached: fragile{borrow(t)}, Journal: j, Parallel: 4}, prepare(t, specs, app))
	for _, v := range out.Variants {
		t.Run(v.Scenario, func(t *testing.T) {
			t.Parallel()
			test := tests[v.Scenario]
			if got := faultsOf(v); got != test.want {
				t.Errorf("%s, want %s\n%+v", got, test.want, v.Verdicts)
			}
			if got := phasesOf(t, filepath.Join(dir, v.Dir), "f"); test.phases != "" && got != test.phases {
				t.Errorf("%s, want %s", got, test.phases)
			}
		})
	}
	if left := records(t, j); len(left) != 0 || len(out.Variants) != len(tests) {
		t.Errorf("%d variants; left in the journal: %+v", len(out.Variants), left)
	}
}

// TestFaultUnavailable: a cluster that cannot be broken makes the variant a skip with a reason, also when it is judged
// again.
func TestFaultUnavailable(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{
		"s": appRelease + "  faults: [{name: f, crashContainer: {workload: Deployment/app}}]\n  steps: [{name: v1, install: {}, during: [f]}]\n",
	}, app)
	out, dir := performIn(t, t.Context(), Config{Attached: borrow(t), Journal: openJournal(t), Parallel: 1}, plans)
	v := out.Variants[0]
	if v.Status != verdict.Skipped || !strings.Contains(v.Reason, "fault f (crashContainer): not supported") || out.ExitCode != verdict.ExitPassed {
		t.Errorf("%+v", out)
	}
	again, err := Rejudge(dir, Catalog(), nil)
	if err != nil || again.Variants[0].Status != verdict.Skipped || again.Variants[0].Reason != v.Reason {
		t.Errorf("judged again: %+v, %v", again, err)
	}
}

// TestInterruptedFault: an interruption ends the fault that is active, and removes its traces.
func TestInterruptedFault(t *testing.T) {
	t.Parallel()
	c, j := fragile{borrow(t)}, openJournal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	plans := prepare(t, map[string]string{
		"s": appRelease + "  faults: [{name: f, unpullableImage: {workload: Deployment/app}}]\n  steps: [{name: break, inject: f}, {name: v1, install: {}}]\n",
	}, app)
	var noted []string
	cfg := Config{Attached: c, Journal: j, Parallel: 1, Progress: onStep("v1", func() {
		for _, r := range records(t, j) {
			noted = append(noted, r.Kind)
			if r.Kind == "fault" && policies(t, kubernetesOf(t, c), r.Data["namespace"]) != 1 {
				t.Error("the fault's policy is not there while it is active")
			}
		}
		interrupt()
	})}
	out := perform(t, ctx, cfg, plans)
	// Whether a pod met the fault depends on how far Helm came.
	got := faultsOf(out.Variants[0])
	if got != "break passed, v1 errored, fault f inconclusive" && got != "break passed, v1 errored, fault f passed" {
		t.Error(got)
	}
	if len(noted) != 2 || len(records(t, j)) != 0 {
		t.Errorf("the journal held %q, and now %v", noted, records(t, j))
	}
}

// policies counts the admission policies that faults of a namespace have made.
func policies(t *testing.T, client kubernetes.Interface, namespace string) int {
	t.Helper()
	list, err := client.AdmissionregistrationV1().MutatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range list.Items {
		if strings.HasPrefix(p.Name, namespace+".") {
			found++
		}
	}
	return found
}

// TestUndoFault: what a killed run broke on a cluster that outlived it is mended from the journal alone.
func TestUndoFault(t *testing.T) {
	t.Parallel()
	c, j := fragile{borrow(t)}, openJournal(t)
	client := kubernetesOf(t, c)
	site, err := fault.NewSite(c, "default")
	if err != nil {
		t.Fatal(err)
	}
	spec := v1alpha1.Fault{Name: "f", Do: v1alpha1.Choice{Kind: "unpullableImage", Spec: &v1alpha1.UnpullableImage{Workload: "Deployment/undo"}}}
	life, err := fault.NewLife(spec, site, nowhere{}, fault.Note{Journal: j, Cluster: c.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(life.SetUp(t.Context()), life.Inject(t.Context()), life.WaitForPropagation(t.Context())); err != nil {
		t.Fatal(err)
	}
	all := records(t, j)
	if len(all) != 1 || policies(t, client, "default") != 1 {
		t.Fatalf("journal %+v, %d policies", all, policies(t, client, "default"))
	}
	gone := fault.Undo(func(context.Context, string) (cluster.Cluster, error) { return nil, nil })
	if err := gone.Remove(t.Context(), all[0]); err != nil {
		t.Errorf("a cluster that is gone: %v", err)
	}
	undo := fault.Undo(func(_ context.Context, name string) (cluster.Cluster, error) {
		if name != c.Name() {
			t.Errorf("asked for cluster %s", name)
		}
		return c, nil
	})
	for range 2 { // a second time, there is nothing left to do
		if err := undo.Remove(t.Context(), all[0]); err != nil || policies(t, client, "default") != 0 {
			t.Errorf("%v, %d policies are left", err, policies(t, client, "default"))
		}
	}
}

type nowhere struct{}

func (nowhere) Record(evidence.Event) int64 { return 0 }

// TestNodeFaults breaks nodes of a cluster of its own.
func TestNodeFaults(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{"s": `  cluster: {nodes: 2}
  release: {name: r, chart: app}
  faults:
  - {name: killed, killNode: {node: 2}}
  - {name: cordoned, cordonNode: {node: 2}}
  - {name: tainted, taintNode: {node: 1, effect: NoSchedule}}
  - {name: drained, drainNode: {nodeOf: Deployment/app}}
  steps:
  - {name: v1, install: {}}
  - {name: v2, upgrade: {values: {tag: v2}, wait: hookOnly}, during: [killed]}
  - {name: v3, upgrade: {values: {tag: v3}}, during: [drained]}
  # No node takes new pods.
  - {name: v4, upgrade: {values: {tag: v4}, timeout: 2s}, during: [cordoned, tainted], expect: {error: deadline}}
  - {name: back, rollback: 3}
`}, app)
	if plans[0].Needs.Isolation != isolationCluster {
		t.Errorf("isolation %s", plans[0].Needs.Isolation)
	}
	out := perform(t, t.Context(), Config{Providers: Always(embedded.New()), Parallel: 1}, plans)
	want := "v1 passed, v2 passed, v3 passed, v4 passed, back passed, fault killed passed, fault cordoned passed, fault tainted passed, fault drained passed"
	if got := faultsOf(out.Variants[0]); got != want || out.ExitCode != verdict.ExitPassed {
		t.Errorf("%s\n%+v", got, out)
	}
}
