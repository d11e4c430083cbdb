package runner

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

// TestNothingFires: of every kind of fault there is a scenario, testdata/nothing/<kind>.yaml, in which it cannot fire. The
// verdict is inconclusive then, and names the fault: a run whose fault met nothing shows nothing. Faults that come in ways
// which differ in how it is seen that they fire are tried in each.
func TestNothingFires(t *testing.T) {
	t.Parallel()
	plans := nothingPlans(t, fault.Registry().Names())
	out, dir := performIn(t, t.Context(), Config{Providers: Always(embedded.New()), Parallel: 6}, plans)
	if len(out.Variants) != len(plans) || out.ExitCode != verdict.ExitInconclusive {
		t.Errorf("%d variants of %d, exit code %d", len(out.Variants), len(plans), out.ExitCode)
	}
	for i, v := range out.Variants {
		t.Run(plans[i].ID(), func(t *testing.T) {
			t.Parallel()
			checkNothing(t, v, filepath.Join(dir, v.Dir), plans[i].Scenario.Spec.Faults[0].Name)
		})
	}
}

// nothingPlans are those of the scenarios, in the order of the kinds. They share one cluster, even if their faults reach
// beyond a namespace: none may.
func nothingPlans(t *testing.T, kinds []string) []plan.Plan {
	t.Helper()
	var plans []plan.Plan
	for _, kind := range kinds {
		files, err := scenario.Load([]string{filepath.Join("testdata", "nothing", kind+".yaml")}, Catalog())
		if err != nil {
			t.Fatalf("every kind of fault needs a scenario in which it cannot fire: %v", err)
		}
		compiled, err := plan.Compile(files[0], plan.Options{})
		if err != nil || len(compiled) != 1 {
			t.Fatalf("%s: %d variants, %v", kind, len(compiled), err)
		}
		if faults := compiled[0].Scenario.Spec.Faults; len(faults) != 1 || faults[0].Do.Kind != kind {
			t.Fatalf("%s: its faults are %+v, want one of kind %s", files[0].Path, faults, kind)
		}
		plans = append(plans, compiled...)
		for way, spec := range otherWays(compiled[0].Scenario.Spec.Faults[0].Do.Spec) {
			other := compiled[0]
			other.Variant = "way=" + way
			other.Scenario.Spec.Faults = slices.Clone(other.Scenario.Spec.Faults)
			other.Scenario.Spec.Faults[0].Do.Spec = spec
			plans = append(plans, other)
		}
	}
	plans, err := Prepare(t.Context(), plans, Surroundings{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range plans {
		plans[i].Needs = plan.Needs{Provider: "embedded", Nodes: 1, Isolation: isolationNamespace}
	}
	return plans
}

// otherWays are those of a fault, about the same requests.
func otherWays(of any) map[string]any {
	ways := map[string]any{}
	switch of := of.(type) {
	case *v1alpha1.API:
		field, _ := reflect.TypeFor[v1alpha1.API]().FieldByName("Break")
		for how := range strings.SplitSeq(field.Tag.Get("enum"), ",") {
			other := *of
			other.Respond, other.Break = nil, how
			ways[how] = &other
		}
		latency := *of
		latency.Respond, latency.Latency = nil, &metav1.Duration{Duration: time.Second}
		ways["latency"] = &latency
	case *v1alpha1.Webhook:
		for _, policy := range []string{"Fail", "Ignore"} {
			down, slow := *of, *of
			down.Rejects, down.Down, down.FailurePolicy = nil, true, policy
			slow.Rejects, slow.Slow, slow.FailurePolicy = nil, &metav1.Duration{Duration: time.Second}, policy
			ways["down "+policy], ways["slow "+policy] = &down, &slow
		}
	}
	return ways
}

// checkNothing wants the one fault of its kind to have fired nowhere, and to be what the verdict is inconclusive for.
func checkNothing(t *testing.T, v verdict.Variant, dir, name string) {
	t.Helper()
	if v.Status != verdict.Inconclusive {
		t.Errorf("the verdict is %s, want inconclusive: %s\n%+v", v.Status, v.Reason, v.Verdicts)
	}
	i := slices.IndexFunc(v.Verdicts, func(d verdict.Verdict) bool { return d.Kind == "fault" && d.Name == "fault "+name })
	if i < 0 || v.Verdicts[i].Status != verdict.Inconclusive || v.Verdicts[i].Message == "" {
		t.Errorf("no verdict says of fault %s that it is inconclusive, and why: %+v", name, v.Verdicts)
	}
	if phases := phasesOf(t, dir, name); strings.Contains(phases, string(evidence.FaultFired)) || phases == "" {
		t.Errorf("fault %s went through %q", name, phases)
	}
}
