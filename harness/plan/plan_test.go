package plan_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/scenario/scenariotest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const source = `
apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: demo}
spec:
  description: Plans.
  seed: 7
  release:
    name: shop
    chart: oci://example.invalid/shop
    options: {timeout: 90s, takeOwnership: true, wait: hookOnly}
  matrix: {wait: [watcher, legacy], serverSide: [auto, true]}
  timeouts: {step: 2m}
  readiness:
  - {workload: StatefulSet/db, steps: [v1], never: true}
  - {workload: StatefulSet/db, delay: 1s}
  actors:
  - {name: hpa, scale: {workload: Deployment/backend, replicas: 5}}
  - {name: gitops, apply: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: extra, namespace: other}}}}
  - {name: idle, delete: {object: Service/db}}
  steps:
  - {name: v1, install: {}}
  - {name: scaled, act: hpa}
  - {name: synced, act: gitops}
  - {name: v2, timeout: 30s, upgrade: {serverSide: false, chart: oci://example.invalid/shop2}, expect: {status: failed}}
  - {name: back, rollback: 1}
  - {name: tested, test: {}}
  finally:
  - {name: gone, uninstall: {timeout: 5s}}
  assert:
  - ledger: {at: back}
  - {name: replicas, knownIssue: helm/helm#1, ownership: {object: Deployment/backend, managers: [hpa]}}
`

func compile(t *testing.T, opts plan.Options) []plan.Plan {
	t.Helper()
	file, err := scenario.Parse("demo.yaml", []byte(source), scenariotest.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plan.Compile(file, opts)
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

func TestCompileMakesOnePlanPerCombination(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range compile(t, plan.Options{}) {
		got = append(got, p.ID())
	}
	want := []string{
		"demo[serverSide=auto,wait=watcher]", "demo[serverSide=auto,wait=legacy]",
		"demo[serverSide=true,wait=watcher]", "demo[serverSide=true,wait=legacy]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
}

// TestCompileResolvesOptions: a step's own option, then the matrix, then the release's options, then the default; and
// an operation takes over only the options it knows.
func TestCompileResolvesOptions(t *testing.T) {
	t.Parallel()
	p := compile(t, plan.Options{})[3]
	install := p.Steps[0].Spec.(*v1alpha1.Install)
	upgrade := p.Steps[3].Spec.(*v1alpha1.Upgrade)
	rollback := p.Steps[4].Spec.(*v1alpha1.Rollback)
	test := p.Steps[5].Spec.(*v1alpha1.Test)
	uninstall := p.Finally[0].Spec.(*v1alpha1.Uninstall)
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"own option before the matrix", upgrade.ServerSide, "false"},
		{"matrix before the release's", install.Wait, "legacy"},
		{"release's before the default", install.Timeout.Duration, 90 * time.Second},
		{"own option before the release's", uninstall.Timeout.Duration, 5 * time.Second},
		{"default", *rollback.MaxHistory, 10},
		{"option of another operation", rollback.TakeOwnership == nil, true},
		{"no history for an install", install.MaxHistory == nil, true},
		{"no server side for an uninstall", uninstall.ServerSide, ""},
		{"helm test takes the timeout", test.Timeout.Duration, 90 * time.Second},
		{"the resolved release", p.Scenario.Spec.Release.Options.ServerSide, "true"},
		{"the scenario's steps are the plan's", p.Scenario.Spec.Steps[3].Do.Spec == any(upgrade), true},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

func TestCompileLeavesTheScenarioAlone(t *testing.T) {
	t.Parallel()
	file, err := scenario.Parse("demo.yaml", []byte(source), scenariotest.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(file)
	if _, err := plan.Compile(file, plan.Options{Seed: 9}); err != nil {
		t.Fatal(err)
	}
	after, _ := json.Marshal(file)
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("Compile changed its argument:\n%s", diff)
	}
}

func TestCompileTakesTheSeed(t *testing.T) {
	t.Parallel()
	for seed, want := range map[int64]int64{0: 7, 99: 99} {
		p := compile(t, plan.Options{Seed: seed})[0]
		if p.Seed != want || p.Scenario.Spec.Seed != want {
			t.Errorf("--seed %d: plan has %d, its scenario %d, want %d", seed, p.Seed, p.Scenario.Spec.Seed, want)
		}
	}
}

// TestPlanJSON pins the form of plan.json and reads it back.
func TestPlanJSON(t *testing.T) {
	t.Parallel()
	want := compile(t, plan.Options{})[0]
	data, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/plan.golden.json", append(data, '\n'))
	got, err := plan.Read(data, scenariotest.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
}

func TestReadRefusesWhatIsNoPlan(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(compile(t, plan.Options{})[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]string{
		"empty":       "",
		"cut off":     string(data[:len(data)/2]),
		"a step less": `{"scenario":` + mustField(t, data, "scenario") + `,"steps":[]}`,
	} {
		if _, err := plan.Read([]byte(broken), scenariotest.Catalog()); err == nil {
			t.Errorf("%s: Read accepted it", name)
		}
	}
}

// TestPlanNamesTheBlastRadius: what a fault may touch is in the plan, in the words of its kind.
func TestPlanNamesTheBlastRadius(t *testing.T) {
	t.Parallel()
	const faulty = `
apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: faulty}
spec:
  description: Breaks.
  release: {name: shop, chart: oci://example.invalid/shop}
  faults:
  - {name: power-cut, killNode: {node: 2}}
  - {name: api-gone, killAPIServer: {}}
  steps:
  - {name: v1, install: {}, during: [power-cut, api-gone]}
`
	file, err := scenario.Parse("faulty.yaml", []byte(faulty), scenariotest.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plan.Compile(file, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []plan.Touch{
		{By: "fault power-cut", Does: []string{"killNode"}, What: "node 2, and its pods"},
		{By: "fault api-gone", Does: []string{"killAPIServer"}, What: "the API server, and so all that use it"},
	}
	if diff := cmp.Diff(want, plans[0].Touches[1:]); diff != "" {
		t.Errorf("touches (-want +got):\n%s", diff)
	}
}

func mustField(t *testing.T, data []byte, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return string(all[name])
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); -update writes it anew:\n%s", path, diff)
	}
}

// TestDoubts: what nothing makes, and what nothing sets off.
func TestDoubts(t *testing.T) {
	t.Parallel()
	p := compile(t, plan.Options{})[0]
	if diff := cmp.Diff([]string{"actor idle does nothing: no step has act: idle"}, p.Doubts()); diff != "" {
		t.Errorf("before charts are rendered (-want +got):\n%s", diff)
	}
	p.Renders = []string{"Deployment/db", "Deployment/backend"}
	p.Scenario.Spec.Readiness = []v1alpha1.ReadinessRule{{Workload: "Deployment.apps/backend"}, {Workload: "StatefulSet/db"}, {Workload: "Deployment.apps/made"}}
	p.Touches = append(p.Touches, plan.Touch{By: "actor a", Does: []string{"create"}, What: "Deployment/far/made"})
	want := []string{"readiness[1] is for StatefulSet/db, which no chart of the scenario renders and no actor makes; is the name right?", "actor idle does nothing: no step has act: idle"}
	if diff := cmp.Diff(want, p.Doubts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRandDependsOnSeedAndPartsAlone(t *testing.T) {
	t.Parallel()
	first := func(seed int64, parts ...string) uint64 { return plan.Rand(seed, parts...).Uint64() }
	if once, again := first(1, "a", "b"), first(1, "a", "b"); once != again {
		t.Error("the same seed and parts gave two numbers")
	}
	seen := map[uint64]bool{}
	for _, n := range []uint64{first(1, "a", "b"), first(2, "a", "b"), first(1, "ab"), first(1, "b", "a"), first(1), first(1, "a", "b", "")} {
		if seen[n] {
			t.Errorf("%d came twice for different seeds or parts", n)
		}
		seen[n] = true
	}
}
