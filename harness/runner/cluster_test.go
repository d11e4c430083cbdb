package runner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/scenario"
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
  - {name: waits, timeout: 300ms, await: {object: ConfigMap/note, field: {path: .data.note, equals: x}}}
`,
	}, nil)
	c := borrow(t)
	cfg := Config{Provider: lends(c), Parallel: 4, Versions: map[string]string{"helm": "v4"}, Args: []string{"run", "x"}, Seed: 5}
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
	if message := out.Variants[3].Verdicts[1].Message; !strings.Contains(message, `field .data.note is "none", not "x"`) || !strings.Contains(message, "deadline of 300ms") {
		t.Errorf("what the step waited for in vain is not told: %s", message)
	}
	if c.deleted != 1 || out.CleanupErr != "" || out.ExitCode != verdict.ExitFailed {
		t.Errorf("the cluster was deleted %d times; clean-up %q, exit code %d", c.deleted, out.CleanupErr, out.ExitCode)
	}
	t.Run("again", func(t *testing.T) { judgedAgain(t, cfg.Dir, out) })
	t.Run("otherwise", func(t *testing.T) { judgedOtherwise(t, cfg.Dir) })
	t.Run("killed", func(t *testing.T) { judgedKilled(t, cfg.Dir) })
}

// judgedAgain: the same evidence gives the same verdicts, on the whole run and on one bundle of it.
func judgedAgain(t *testing.T, dir string, first verdict.Run) {
	again, err := Rejudge(dir, Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Duration = first.Duration // clean-up included, which is no evidence
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("judged again (-first +again):\n%s", diff)
	}
	one, err := Rejudge(filepath.Join(dir, "unknown"), Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if one.ExitCode != verdict.ExitInconclusive || len(one.Variants) != 1 || one.Variants[0].Dir != "." {
		t.Errorf("one bundle judged by itself: %+v", one)
	}
}

// judgedOtherwise: other assertions are tried on old evidence, and told with their own places.
func judgedOtherwise(t *testing.T, dir string) {
	text := "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: asserts}\nspec:\n  description: Asserts otherwise.\n  release: {name: r, chart: \"oci://x/y\"}\n" +
		"  steps: [{name: v1, install: {}}]\n  assert:\n  - ledger: {deployed: 1}\n  - ledger: {deployed: 2}\n"
	other, err := scenario.Parse("other.yaml", []byte(text), Catalog())
	if err != nil {
		t.Fatal(err)
	}
	out, err := Rejudge(dir, Catalog(), []scenario.File{other})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range out.Variants[0].Verdicts[1:] {
		got = append(got, string(v.Status)+" "+v.File)
		if want := map[verdict.Status]int{verdict.Passed: 9, verdict.Failed: 10}[v.Status]; v.Line != want {
			t.Errorf("%s is told with line %d, want %d", v.Status, v.Line, want)
		}
	}
	if diff := cmp.Diff([]string{"passed other.yaml", "failed other.yaml"}, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	other.Scenario.Metadata.Name = "nobody"
	if _, err := Rejudge(dir, Catalog(), []scenario.File{other}); !errors.Is(err, ErrNotRun) {
		t.Errorf("a scenario that was not run: %v", err)
	}
	if _, err := Rejudge(t.TempDir(), Catalog(), nil); !errors.Is(err, ErrNoRun) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Rejudge(filepath.Join(dir, "none"), Catalog(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// judgedKilled: evidence that ends in the middle, as that of a killed run, can be judged, and never passes.
func judgedKilled(t *testing.T, dir string) {
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(filepath.Join(dir, "passes"))); err != nil {
		t.Fatal(err)
	}
	timeline := filepath.Join(killed, evidence.TimelineFile)
	text, err := os.ReadFile(timeline)
	if err != nil {
		t.Fatal(err)
	}
	end := strings.Index(string(text), `"step":"back","finished"`)
	if end < 0 {
		t.Fatal("step back has no end")
	}
	if err := errors.Join(os.WriteFile(timeline, text[:end], 0o644), os.Remove(filepath.Join(killed, verdictFile))); err != nil {
		t.Fatal(err)
	}
	out, err := Rejudge(killed, Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := out.Variants[0]
	if out.ExitCode != verdict.ExitInconclusive || !strings.Contains(v.Reason, "killed") || v.Started.IsZero() || v.Duration == 0 {
		t.Errorf("%+v", v)
	}
	if at := slices.IndexFunc(v.Verdicts, func(v verdict.Verdict) bool { return v.Name == "back" }); v.Verdicts[at].Status != verdict.Inconclusive {
		t.Errorf("the step it was killed in: %+v", v.Verdicts[at])
	}
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
	cfg := Config{Provider: lends(c), Parallel: 1, Progress: onStep("waits", func() { c.die(died) })}
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
	cfg := Config{Provider: lends(c), Parallel: 1, Progress: onStep("waits", func() { interrupt(errors.New("interrupt signal received")) })}
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

// TestLeftovers: a cluster that cannot be ended is clean-up incomplete, and changes no verdict.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"namespace", "cluster"} {
		c := borrow(t)
		c.deleteErr = errors.New("it is stuck")
		plans := prepare(t, map[string]string{"s": "  cluster: {isolation: " + isolation + "}\n  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"}, nil)
		out := perform(t, t.Context(), Config{Provider: lends(c), Parallel: 1}, plans)
		if out.Status != verdict.Passed || out.ExitCode != verdict.ExitCleanupIncomplete || !strings.Contains(out.CleanupErr, "it is stuck") {
			t.Errorf("%s: %s with exit code %d, clean-up %q", isolation, out.Status, out.ExitCode, out.CleanupErr)
		}
	}
}

// kubernetesOf is a client of a cluster.
func kubernetesOf(t *testing.T, c cluster.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func openJournal(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func records(t *testing.T, j *journal.Journal) []journal.Record {
	t.Helper()
	all, err := j.List()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkGone: a namespace that a run made does not exist any more.
func checkGone(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("namespace %s: %v", namespace, err)
	}
}

// TestAttached: on a cluster that outlives the run nothing stays, in no namespace and outside of them.
func TestAttached(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	plans := prepare(t, map[string]string{"s": "  cluster: {isolation: namespace}\n  release: {name: r, chart: scoped}\n  steps: [{name: v1, install: {}}]\n"}, charts)
	var noted []journal.Record
	cfg := Config{Attached: c, Journal: j, Parallel: 1, Progress: onStep("v1", func() { noted = records(t, j) })}
	out := perform(t, t.Context(), cfg, plans)
	if out.ExitCode != verdict.ExitPassed {
		t.Fatalf("%+v", out)
	}
	if len(noted) != 1 || len(records(t, j)) != 0 {
		t.Fatalf("the journal held %v, and now %v", noted, records(t, j))
	}
	namespace := noted[0].Data[dataName]
	checkGone(t, client, namespace)
	if _, err := client.RbacV1().ClusterRoles().Get(t.Context(), namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("cluster role %s: %v", namespace, err)
	}
}

// TestStuckNamespace: a namespace that a finalizer holds is clean-up incomplete, and rehearse gc removes it later.
func TestStuckNamespace(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	plans := prepare(t, map[string]string{"s": `  release: {name: r, chart: tiny}
  timeouts: {cleanup: 1s}
  actors: [{name: hand, create: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [tests.example/hold]}}}}]
  steps: [{name: v1, install: {}}, {name: held, act: hand}]
`}, nil)
	out := perform(t, t.Context(), Config{Attached: c, Journal: j, Parallel: 1}, plans)
	if out.Status != verdict.Passed || out.ExitCode != verdict.ExitCleanupIncomplete || !strings.Contains(out.CleanupErr, "finalizer") || !strings.Contains(out.CleanupErr, "timeouts.cleanup has passed") {
		t.Errorf("%s with exit code %d, clean-up %q", out.Status, out.ExitCode, out.CleanupErr)
	}
	left := records(t, j)
	if len(left) != 1 {
		t.Fatalf("the journal holds %v", left)
	}
	namespace := left[0].Data[dataName]
	release := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "held", "application/merge-patch+json", release, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Undo().Remove(t.Context(), left[0]); err != nil {
		t.Fatal(err)
	}
	checkGone(t, client, namespace)
	gone := left[0]
	gone.Data = map[string]string{dataKubeconfig: filepath.Join(t.TempDir(), "none"), dataName: namespace}
	if err := Undo().Remove(t.Context(), gone); err != nil {
		t.Errorf("a cluster that is gone: %v", err)
	}
}

// TestKeep: what is kept is there while the user looks, pods become ready then too, and all is removed after that.
func TestKeep(t *testing.T) {
	t.Parallel()
	c, j := borrow(t), openJournal(t)
	client := kubernetesOf(t, c)
	plans := prepare(t, map[string]string{
		"a": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n",
		"b": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}, expect: {error: never}}]\n",
	}, nil)
	var seen []Kept
	cfg := Config{Attached: c, Journal: j, Parallel: 2, Keep: true, Linger: func(ctx context.Context, all []Kept) {
		seen = all
		for _, kept := range all {
			if _, err := client.CoreV1().ConfigMaps(kept.Namespace).Get(ctx, "note", metav1.GetOptions{}); err != nil {
				t.Errorf("%s was not kept: %v", kept.Variant, err)
			}
			if kept.Kubeconfig != c.KubeconfigPath() {
				t.Errorf("kubeconfig %s", kept.Kubeconfig)
			}
		}
	}}
	out := perform(t, t.Context(), cfg, plans)
	if len(seen) != 2 || out.ExitCode != verdict.ExitFailed || out.CleanupErr != "" {
		t.Fatalf("kept %v, exit code %d, clean-up %q", seen, out.ExitCode, out.CleanupErr)
	}
	for _, kept := range seen {
		checkGone(t, client, kept.Namespace)
	}
	if left := records(t, j); len(left) != 0 {
		t.Errorf("the journal holds %v", left)
	}
}
