package sweep_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/sweep"
)

const shop = `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: shop}
spec:
  description: The shop.
  seed: 7
  cluster: {isolation: namespace}
  release: {name: shop, chart: CHART, options: {forceConflicts: true}}
  readiness:
  - {workload: Deployment/backend, steps: [v2], never: true}
  - {workload: Job/migrate, steps: [gone], requireHeld: true, fail: true}
  faults:
  - {name: late, deletePod: {workload: Deployment/backend}}
  steps:
  - {name: v1, install: {values: {tag: v1}}}
  - {name: broken, upgrade: {values: {tag: v3}}, expect: {error: {}}}
  - {name: v2, upgrade: {values: {tag: v2}, forceConflicts: true}}
  - {name: back, rollback: 1}
  - {name: gone, uninstall: {}, during: [late]}
  assert:
  - ledger: {at: back, deployed: 4}
`

func load(t *testing.T, step string) sweep.Sweep {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.yaml")
	chart, err := filepath.Abs(filepath.Join("..", "..", "charts", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(shop, "CHART", chart)), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := scenario.Load([]string{file}, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plan.Compile(files[0], plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return sweep.Sweep{File: files[0], Plan: plans[0], Step: step, Cuts: sweep.Cuts(), Ways: sweep.Ways()}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for step, says := range map[string]string{
		"back":   "",
		"v2":     "",
		"v1":     "v1 is install; a sweep breaks an upgrade or a rollback",
		"gone":   "gone is uninstall",
		"broken": "broken is expected to fail",
		"v9":     `no step "v9" (there are: v1, broken, v2, back, gone)`,
	} {
		err := load(t, step).Check()
		if says == "" && err != nil || says != "" && (!errors.Is(err, sweep.ErrStep) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: the error is %v, want %q", step, err, says)
		}
	}
}

func optionsOf(t *testing.T, spec any) v1alpha1.Options {
	t.Helper()
	switch o := spec.(type) {
	case *v1alpha1.Rollback:
		return o.Options
	case *v1alpha1.Upgrade:
		return o.Options
	}
	t.Fatalf("%T is no recovery", spec)
	return v1alpha1.Options{}
}

// TestReadinessNeedNotHold: a rule may be for a step that is cut off, or for pods that a break keeps from being made.
func TestReadinessNeedNotHold(t *testing.T) {
	t.Parallel()
	s := load(t, "v2")
	recording, err := s.Recording()
	if err != nil {
		t.Fatal(err)
	}
	tries, err := s.Tries([]sweep.Write{{Verb: "delete", Resource: "secrets", Name: "s", Nth: 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	plans := []plan.Plan{recording}
	for _, try := range tries {
		plans = append(plans, try.Plan)
	}
	for _, p := range plans {
		if n := len(p.Scenario.Spec.Readiness); n != 2 {
			t.Errorf("%s has %d readiness rules, want both: what is drawn from the seed goes by their place", p.ID(), n)
		}
		for _, rule := range p.Scenario.Spec.Readiness {
			if rule.RequireHeld == nil || *rule.RequireHeld {
				t.Errorf("%s requires that the rule for %s holds", p.ID(), rule.Workload)
			}
		}
	}
	if own := s.File.Scenario.Spec.Readiness; own[0].RequireHeld != nil && !*own[0].RequireHeld || !*own[1].RequireHeld {
		t.Errorf("the scenario's own rules were changed: %+v", own)
	}
}

func TestTries(t *testing.T) {
	t.Parallel()
	s := load(t, "back")
	recording, err := s.Recording()
	if err != nil || len(recording.Steps) != 4 || len(recording.Scenario.Spec.Faults) != 0 || len(recording.Scenario.Spec.Assert) != 0 {
		t.Errorf("the recording has steps %v, faults %v; %v", recording.Steps, recording.Scenario.Spec.Faults, err)
	}
	writes := []sweep.Write{{Verb: "patch", Group: "apps", Resource: "deployments", Subresource: "scale", Name: "backend", Nth: 2}, {Verb: "delete", Resource: "secrets", Name: "s", Nth: 1}}
	tries, err := s.Tries(writes, 3)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(writes) * len(sweep.Cuts()) * len(sweep.Ways()); len(tries) != want {
		t.Fatalf("%d tries, want %d", len(tries), want)
	}
	seen := map[string]bool{}
	for _, try := range tries {
		p := try.Plan
		if seen[p.ID()] {
			t.Errorf("%s comes twice", p.ID())
		}
		seen[p.ID()] = true
		if n := len(p.Steps); n != 5 || p.Steps[3].During[0] != "sweep-cut" || !p.Steps[3].Expect.Any || !p.Steps[4].Expect.Any {
			t.Errorf("%s has steps %+v", p.ID(), p.Steps)
		}
		if got := p.Steps[4].Operation; got != string(try.Way) {
			t.Errorf("%s recovers by %s", p.ID(), got)
		}
		if o := optionsOf(t, p.Steps[4].Spec); o.ForceConflicts == nil || *o.ForceConflicts || o.ForceReplace == nil || *o.ForceReplace {
			t.Errorf("%s recovers by force: %+v", p.ID(), p.Steps[4].Spec)
		}
		killed := try.Cut == sweep.KilledBefore || try.Cut == sweep.KilledAfter
		if driver := p.Scenario.Spec.Release.Driver; (driver == "cli") != killed {
			t.Errorf("%s runs Helm by driver %s", p.ID(), driver)
		}
	}
	if upgrade := s.File.Scenario.Spec.Steps[2].Do.Spec.(*v1alpha1.Upgrade); !*upgrade.ForceConflicts {
		t.Error("the scenario's own upgrade was changed")
	}
	if len(s.File.Scenario.Spec.Faults) != 1 || len(s.File.Scenario.Spec.Steps) != 5 || s.File.Scenario.Spec.Steps[3].Expect != nil {
		t.Errorf("the scenario itself was changed: %+v", s.File.Scenario.Spec)
	}
	// Without a deployed revision there is nothing to roll back to.
	if tries, err := s.Tries(writes, 0); err != nil || len(tries) != len(writes)*len(sweep.Cuts()) {
		t.Errorf("with nothing deployed: %d tries, %v", len(tries), err)
	}
}
