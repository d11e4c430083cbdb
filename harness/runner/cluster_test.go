package runner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/verdict"
)

// told is a progress.Reporter that calls a function.
type told func(progress.Event)

func (f told) Report(e progress.Event)  { f(e) }
func (told) Finish(verdict.Run, string) {}
func (told) Close()                     {}

// onStep calls do when the step of that name begins.
func onStep(name string, do func()) progress.Reporter {
	return told(func(e progress.Event) {
		if e.Kind == progress.StepStarted && e.Name == name {
			do()
		}
	})
}

// stepsOf lists what became of each step of a variant, from its evidence: "v1 passed", "v2 failed".
func stepsOf(t *testing.T, dir string) []string {
	t.Helper()
	bundle, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range bundle.Timeline {
		switch f := e.Finished; {
		case f == nil:
		case f.Errored:
			all = append(all, e.Step+" errored")
		case f.Mismatch != "":
			all = append(all, e.Step+" failed")
		default:
			all = append(all, e.Step+" passed")
		}
	}
	return all
}

// TestOutcomes runs scenarios of every outcome on one cluster, and then judges their evidence again.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{
		"passes": `  release: {name: r, chart: tiny, values: {note: one}}
  actors: [{name: hand, patch: {object: ConfigMap/note, type: merge, patch: {data: {note: by hand}}}}]
  steps:
  - {name: v1, install: {}}
  - {name: same, upgrade: {values: {note: two}}}
  - {name: broken, upgrade: {values: {broken: true}}, expect: {error: it is broken, status: deployed, revision: 2}}
  - {name: edited, act: hand}
  - {name: seen, await: {object: ConfigMap/note, field: {path: .data.note, equals: by hand}}}
  - {name: back, rollback: 1, expect: {error: conflict, status: failed, revision: 3}}
  finally:
  - {name: gone, uninstall: {}}
  assert:
  - ledger: {at: same, deployed: 2}
  - object: {at: seen, object: ConfigMap/note, match: {data: {note: by hand}}}
  - object: {at: gone, object: ConfigMap/note, absent: true}
`,
		"fails": `  release: {name: r, chart: tiny, values: {note: one}}
  steps:
  - {name: v1, install: {}, expect: {revision: 7}}
  - {name: v2, upgrade: {}}
  finally:
  - {name: never, rollback: 9}
  - {name: gone, uninstall: {}}
  assert:
  - object: {at: gone, object: ConfigMap/note, absent: true}
`,
		"asserts": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n  assert: [{ledger: {deployed: 4}}, {ledger: {}}]\n",
		"unknown": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n  assert: [{object: {object: ConfigMap/other, match: {data: {a: b}}}}]\n",
		"slow": `  release: {name: r, chart: tiny}
  steps:
  - {name: v1, install: {}}
  - {name: waits, timeout: 3s, await: {object: ConfigMap/note, field: {path: .data.note, equals: x}}}
`,
	}, nil)
	c := borrow(t)
	cfg := Config{Providers: Always(lends(c)), Parallel: 4, Versions: map[string]string{"helm": "v4"}, Args: []string{"run", "x"}, Seed: 5}
	cfg.ID, cfg.Dir = "20260314-101502-outcom", filepath.Join(t.TempDir(), "run")
	out, err := Run(t.Context(), cfg, plans)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"asserts failed", "fails failed", "passes passed", "slow failed", "unknown inconclusive"}
	if diff := cmp.Diff(want, statuses(out)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for scenario, want := range map[string][]string{
		"passes": {"v1 passed", "same passed", "broken passed", "edited passed", "seen passed", "back passed", "gone passed"},
		"fails":  {"v1 failed", "never failed", "gone passed"}, // finally goes on after a failure
		"slow":   {"v1 passed", "waits failed"},
	} {
		if diff := cmp.Diff(want, stepsOf(t, filepath.Join(cfg.Dir, scenario))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scenario, diff)
		}
	}
	for scenario, want := range map[string]bool{"passes": false, "asserts": false, "fails": true, "slow": true} {
		_, err := os.Stat(filepath.Join(cfg.Dir, scenario, logsFolder))
		if got := err == nil; got != want {
			t.Errorf("%s: the components' logs are there: %v, want %v", scenario, got, want)
		}
	}
	if message := out.Variants[3].Verdicts[1].Message; !strings.Contains(message, `field .data.note is "none", not "x"`) || !strings.Contains(message, "deadline of 3s") {
		t.Errorf("what the step waited for in vain is not told: %s", message)
	}
	if c.deleted != 1 || out.CleanupErr != "" || out.ExitCode != verdict.ExitFailed {
		t.Errorf("the cluster was deleted %d times; clean-up %q, exit code %d", c.deleted, out.CleanupErr, out.ExitCode)
	}
	t.Run("again", func(t *testing.T) { judgedAgain(t, cfg.Dir, out) })
	t.Run("otherwise", func(t *testing.T) { judgedOtherwise(t, cfg.Dir) })
	t.Run("killed", func(t *testing.T) { judgedKilled(t, cfg.Dir) })
}

// TestClusterDies: the death of a cluster ends the step at once, and is no verdict on the operation.
func TestClusterDies(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	spec := func(name string) string {
		return "  release: {name: " + name + ", chart: tiny}\n  timeouts: {step: 5m}\n  steps:\n  - {name: v1, install: {}}\n" +
			"  - {name: waits, await: {object: ConfigMap/note, status: NotFound}}\n  - {name: back, rollback: 1}\n  finally: [{name: gone, uninstall: {}}]\n"
	}
	plans := prepare(t, map[string]string{"first": spec("a"), "second": spec("b")}, nil)
	died := errors.New("etcd ended: signal: killed; the end of its log:\na long story")
	cfg := Config{Providers: Always(lends(c)), Parallel: 1, Progress: onStep("waits", func() { c.die(died) })}
	cfg.ID, cfg.Dir = "20260314-101502-dying", filepath.Join(t.TempDir(), "run")
	out, err := Run(t.Context(), cfg, plans)
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != verdict.Errored || out.ExitCode != verdict.ExitErrored {
		t.Errorf("the run is %s with exit code %d", out.Status, out.ExitCode)
	}
	dir := filepath.Join(cfg.Dir, "first")
	if diff := cmp.Diff([]string{"v1 passed", "waits errored"}, stepsOf(t, dir)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	message := out.Variants[0].Verdicts[1].Message
	if !strings.HasPrefix(message, "cluster ") || !strings.HasSuffix(message, " died: etcd ended: signal: killed") {
		t.Errorf("the cause is told as %q", message)
	}
	if second := out.Variants[1]; second.Status != verdict.Errored || !strings.Contains(second.Reason, "etcd ended") {
		t.Errorf("a variant on a dead cluster is %s: %s", second.Status, second.Reason)
	}
	logs, err := os.ReadDir(filepath.Join(dir, logsFolder))
	if err != nil || len(logs) == 0 {
		t.Errorf("logs: %v, %v", logs, err)
	}
}

// TestInterruptedStep: an interruption ends the step and the run, removes everything, and leaves evidence that can be read.
func TestInterruptedStep(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	plans := prepare(t, map[string]string{"first": `  release: {name: r, chart: tiny}
  timeouts: {step: 5m}
  steps:
  - {name: v1, install: {}}
  - {name: waits, await: {object: ConfigMap/note, status: NotFound}}
  finally: [{name: gone, uninstall: {}}]
`, "second": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"}, nil)
	cfg := Config{Providers: Always(lends(c)), Parallel: 1, Progress: onStep("waits", func() { interrupt(errors.New("interrupt signal received")) })}
	cfg.ID, cfg.Dir = "20260314-101502-interr", filepath.Join(t.TempDir(), "run")
	out, err := Run(ctx, cfg, plans)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first errored", "second skipped"}, statuses(out)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if out.ExitCode != verdict.ExitInterrupted || out.CleanupErr != "" || c.deleted != 1 {
		t.Errorf("exit code %d, clean-up %q, cluster deleted %d times", out.ExitCode, out.CleanupErr, c.deleted)
	}
	dir := filepath.Join(cfg.Dir, "first")
	if diff := cmp.Diff([]string{"v1 passed", "waits errored"}, stepsOf(t, dir)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if message := out.Variants[0].Verdicts[1].Message; !strings.Contains(message, "interrupted during this step: interrupt signal received") {
		t.Errorf("told as %q", message)
	}
	if _, err := os.Stat(filepath.Join(dir, logsFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("logs were collected of a cluster that did nothing wrong: %v", err)
	}
	again, err := Rejudge(cfg.Dir, Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first errored", "second inconclusive"}, statuses(again)); diff != "" {
		t.Errorf("judged again (-want +got):\n%s", diff)
	}
}

// TestLeftovers: a cluster that cannot be ended is clean-up incomplete, also when the run is judged again, and changes no verdict.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"namespace", "cluster"} {
		c := borrow(t)
		c.deleteErr = errors.New("it is stuck")
		plans := prepare(t, map[string]string{"s": "  cluster: {isolation: " + isolation + "}\n  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"}, nil)
		first, dir := performIn(t, t.Context(), Config{Providers: Always(lends(c)), Parallel: 1}, plans)
		again, err := Rejudge(dir, Catalog(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for how, out := range map[string]verdict.Run{"first": first, "again": again} {
			if out.Status != verdict.Passed || out.ExitCode != verdict.ExitCleanupIncomplete || !strings.Contains(out.CleanupErr, "it is stuck") {
				t.Errorf("%s, judged %s: %s with exit code %d, clean-up %q", isolation, how, out.Status, out.ExitCode, out.CleanupErr)
			}
		}
	}
}
