package replay_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/replay"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

const spec = `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: demo}
spec:
  description: Is replayed.
  seed: 7
  release: {name: shop, chart: shop, values: {password: correct-horse, url: "db://me:correct-horse@host"}}
  matrix: {wait: [watcher, legacy]}
  steps:
  - {name: v1, install: {}}
`

// played is the folder of a run of two variants, made without a cluster, and the scenario's file.
func played(t *testing.T) (dir, file string) {
	t.Helper()
	top := t.TempDir()
	file = filepath.Join(top, "demo.yaml")
	write(t, file, spec)
	write(t, filepath.Join(top, "shop", "Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 0.1.0\n")
	dir = filepath.Join(top, "run")
	run := evidence.Run{ID: "one", Versions: map[string]string{"helm": "v4"}}
	for _, p := range plansOf(t, file) {
		p.Inputs = []plan.Input{{Name: "chart shop", Digest: "sha256:1"}}
		folder := strings.ReplaceAll(p.Variant, "=", "-")
		v := evidence.Variant{Format: evidence.Format, Scenario: "demo", Variant: p.Variant, Steps: []string{"v1"}}
		rec, err := evidence.Create(filepath.Join(dir, folder), v)
		if err != nil {
			t.Fatal(err)
		}
		outcome := verdict.Variant{Scenario: "demo", Variant: p.Variant, Status: verdict.Passed, Verdicts: []verdict.Verdict{{Name: "v1", Status: verdict.Passed}}}
		if err := errors.Join(rec.Close(), evidence.WriteFile(filepath.Join(dir, folder), evidence.PlanFile, p),
			evidence.WriteFile(filepath.Join(dir, folder), evidence.VerdictFile, outcome)); err != nil {
			t.Fatal(err)
		}
		run.Planned = append(run.Planned, evidence.Planned{Scenario: "demo", Variant: p.Variant, Dir: folder})
	}
	run.Planned = append(run.Planned, evidence.Planned{Scenario: "elsewhere", Dir: "elsewhere", Provider: "kind", NotHere: "it is simulated"})
	if err := evidence.WriteFile(dir, evidence.RunFile, run); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func plansOf(t *testing.T, file string) []plan.Plan {
	t.Helper()
	files, err := scenario.Load([]string{file}, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plan.Compile(files[0], plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir, _ := played(t)
	o, err := replay.Load(dir, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if o.ID != "one" || len(o.Variants) != 2 || o.Variants[0].Plan.Seed != 7 || o.Variants[1].Outcome.Status != verdict.Passed {
		t.Errorf("loaded %+v", o)
	}
	if len(o.LeftOut) != 1 || o.LeftOut[0].Reason != "it was skipped: not on kind: it is simulated" {
		t.Errorf("left out: %v", o.LeftOut)
	}
	if _, err := replay.Load(dir, runner.Catalog(), "demo", "nobody"); !errors.Is(err, replay.ErrNoRun) || !strings.Contains(err.Error(), "scenario nobody is not among") {
		t.Errorf("a scenario that was not run: %v", err)
	}
	if some, err := replay.Load(dir, runner.Catalog(), "elsewhere"); err != nil || len(some.Variants) != 0 || len(some.LeftOut) != 1 {
		t.Errorf("one scenario alone: %+v, %v", some, err)
	}
	one, err := replay.Load(filepath.Join(dir, "wait-legacy"), runner.Catalog())
	if err != nil || len(one.Variants) != 1 || one.ID != "demo[wait=legacy]" {
		t.Errorf("one variant: %+v, %v", one, err)
	}
}

// TestLoadMissing: each file without which nothing could be compared is named.
func TestLoadMissing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{evidence.PlanFile, evidence.VariantFile, evidence.TimelineFile, evidence.ObjectsFile, evidence.SnapshotsFile, evidence.VerdictFile} {
		dir, _ := played(t)
		if err := os.Remove(filepath.Join(dir, "wait-legacy", name)); err != nil {
			t.Fatal(err)
		}
		if _, err := replay.Load(dir, runner.Catalog()); !errors.Is(err, replay.ErrNotWhole) || !strings.Contains(err.Error(), "there is no "+name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	dir, _ := played(t)
	if err := os.Remove(filepath.Join(dir, evidence.RunFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := replay.Load(dir, runner.Catalog()); !errors.Is(err, replay.ErrNoRun) {
		t.Errorf("without run.json: %v", err)
	}
}

// TestPlans: a plan is the one that was run, though its scenario has changed since.
func TestPlans(t *testing.T) {
	t.Parallel()
	dir, file := played(t)
	write(t, file, strings.Replace(spec, "seed: 7", "seed: 8", 1))
	o, err := replay.Load(dir, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	plans, err := o.Plans(runner.Catalog(), "kind")
	if err != nil {
		t.Fatal(err)
	}
	if p := replay.Numbered(plans[0], 3); p.Seed != 7 || p.ID() != "demo[wait=watcher,replay=3]" || p.Needs.Provider != "kind" {
		t.Errorf("plan %s with seed %d on %s", p.ID(), p.Seed, p.Needs.Provider)
	}
	for i := range plans {
		plans[i].Inputs = []plan.Input{{Name: "chart shop", Digest: "sha256:1"}}
	}
	if unknown, err := o.Changed(plans); err != nil || len(unknown) > 0 {
		t.Errorf("nothing has changed: %v, %v", unknown, err)
	}
	plans[1].Inputs[0].Digest = "sha256:2"
	if _, err := o.Changed(plans); !errors.Is(err, replay.ErrChanged) || !strings.Contains(err.Error(), "chart shop (as seen from ") {
		t.Errorf("a chart has changed: %v", err)
	}
	o.Variants[1].Plan.Inputs = nil
	if unknown, err := o.Changed(plans); err != nil || len(unknown) != 1 {
		t.Errorf("not known what a chart held: %v, %v", unknown, err)
	}
}

// TestHidden: secret values come from the scenario's file, as long as it says the same otherwise.
func TestHidden(t *testing.T) {
	t.Parallel()
	hash := evidence.RedactedPrefix + "0123456789abcdef"
	for name, test := range map[string]struct {
		change [2]string // in the file, after the run
		says   string    // of the error; empty: there is none
	}{
		"as it was":       {},
		"another value":   {[2]string{"me:correct-horse@", "me:battery-staple@"}, ""},
		"another text":    {[2]string{"@host", "@elsewhere"}, "has changed since, at spec.release.values.url"},
		"another field":   {[2]string{"steps:", "driver: x\n  steps:"}, "the scenario file cannot tell it"},
		"another step":    {[2]string{"name: v1", "name: v9"}, "has changed since, at spec.steps[0].name"},
		"one value more":  {[2]string{"password:", "more: 1, password:"}, "has changed since, at spec.release.values.more"},
		"another variant": {[2]string{"watcher, legacy", "legacy"}, "has no variant wait=watcher any more"},
		"another name":    {[2]string{"name: demo", "name: else"}, "holds no scenario demo any more"},
	} {
		dir, file := played(t)
		for _, folder := range []string{"wait-watcher", "wait-legacy"} {
			path := filepath.Join(dir, folder, evidence.PlanFile)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, strings.ReplaceAll(string(data), "correct-horse", hash))
		}
		if test.change[0] != "" {
			write(t, file, strings.Replace(spec, test.change[0], test.change[1], 1))
		}
		o, err := replay.Load(dir, runner.Catalog())
		if err != nil {
			t.Fatal(err)
		}
		plans, err := o.Plans(runner.Catalog(), "")
		if test.says != "" {
			if !errors.Is(err, replay.ErrHidden) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: the error is %v, want %q", name, err, test.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if data, err := json.Marshal(plans[0].Scenario); err != nil || strings.Contains(string(data), hash) {
			t.Errorf("%s: a hash is left, or %v", name, err)
		}
	}
}
