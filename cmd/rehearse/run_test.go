package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gojunit "github.com/joshdk/go-junit"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

// TestRun runs scenarios of every outcome and with every flag on one kept cluster, and finds nothing left on it.
func TestRun(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	kubeconfig := h.Up("--name", "day", "--nodes", "1")
	t.Cleanup(func() { h.Want(0, "cluster", "down", "day") })
	before := everything(t, kubeconfig)

	t.Run("all", func(t *testing.T) { // returns once all have
		for name, test := range map[string]func(runs, *testing.T){
			"passes": runs.passes, "outcomes": runs.outcomes, "labels": runs.labels, "compare": runs.compare, "fail fast": runs.failFast,
			"seed": runs.seed, "secrets": runs.secrets, "no such cluster": runs.noSuchCluster,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(runs{h.in(t)}, t)
			})
		}
	})
	if diff := cmp.Diff(before, everything(t, kubeconfig)); diff != "" {
		t.Errorf("the runs left something on the cluster (-before +after):\n%s", diff)
	}
}

// everything lists what runs could leave on a cluster: namespaces, and objects outside of them.
func everything(t *testing.T, kubeconfig string) []string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	namespaces, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range namespaces.Items {
		all = append(all, "Namespace/"+n.Name)
	}
	roles, err := client.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles.Items {
		all = append(all, "ClusterRole/"+r.Name)
	}
	resources, err := client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range resources { // CRDs show here
		all = append(all, list.GroupVersion)
	}
	slices.Sort(all)
	return all
}

// runs runs the program on the kept cluster.
type runs struct{ *home }

// run runs scenarios, demands an exit code, and returns the run's folder too.
func (r runs) run(t *testing.T, code int, args ...string) (hometest.Result, string) {
	t.Helper()
	reports := t.TempDir()
	got := r.Exec(append([]string{"run", "--cluster", "day", "--reports", reports}, args...)...)
	if got.Code != code {
		t.Fatalf("rehearse run %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got.Code, code, got.Stdout, got.Stderr)
	}
	return got, runFolder(t, reports)
}

// runFolder is the folder of the one run whose reports are in a folder.
func runFolder(t *testing.T, reports string) string {
	t.Helper()
	entries, err := os.ReadDir(reports)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the run made %d folders: %v, %v", len(entries), entries, err)
	}
	return filepath.Join(reports, entries[0].Name())
}

// passes: a rollback of the fixture chart, cluster-scoped objects included, with all reports.
func (r runs) passes(t *testing.T) {
	path := r.Scenario("passes", `  cluster: {isolation: namespace}
  release: {name: scoped, chart: charts/scoped}
  steps:
  - {name: v1, install: {}}
  - {name: v2, upgrade: {values: {widgets: [one]}}}
  - {name: back, rollback: 1, expect: {status: deployed, revision: 3}}
  assert: [{ledger: {deployed: 3}}]
`)
	got, dir := r.run(t, 0, path)
	for _, text := range []string{"step back passed", "✓ passed", "1 passed in", "phases: ", filepath.Join(dir, "report.html")} {
		if !strings.Contains(got.Stderr, text) {
			t.Errorf("%q is not told:\n%s", text, got.Stderr)
		}
	}
	if got.Stdout != "" {
		t.Errorf("standard output holds %q", got.Stdout)
	}
	for _, file := range []string{"run.json", "junit.xml", "report.html", "report.json", "summary.md", "passes/plan.json", "passes/variant.json", "passes/timeline.jsonl", "passes/objects.jsonl", "passes/snapshots.jsonl", "passes/verdict.json"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	suites, err := gojunit.IngestFile(filepath.Join(dir, "junit.xml"))
	if err != nil || len(suites) != 1 || suites[0].Totals.Tests != 4 || suites[0].Totals.Passed != 4 {
		t.Errorf("junit.xml: %+v, %v", suites, err)
	}
	again := r.Want(0, "judge", dir, "--output", "json")
	if run := oneDocument(t, again.Stdout); run.Status != verdict.Passed {
		t.Errorf("judged again: %s", run.Status)
	}
}

// oneDocument decodes a report, after which nothing may come.
func oneDocument(t *testing.T, text string) verdict.Run {
	t.Helper()
	var run verdict.Run
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&run); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one document: %s", text)
	}
	return run
}

// home is a place of its own for the program.
type home struct{ *hometest.Home }

func newHome(t *testing.T) *home {
	t.Helper()
	return &home{hometest.New(t)}
}

// in is the same place for a subtest.
func (h *home) in(t *testing.T) *home { return &home{h.In(t)} }

func outcomes(run verdict.Run) []string {
	var all []string
	for _, v := range run.Variants {
		all = append(all, v.Scenario+" "+string(v.Status))
	}
	return all
}

// outcomes: failed, inconclusive, and both at once.
func (r runs) outcomes(t *testing.T) {
	fails := r.Note("fails", "  assert: [{ledger: {deployed: 9}}]\n")
	unknown := r.Note("unknown", "  assert: [{object: {object: ConfigMap/other, match: {data: {a: b}}}}]\n")
	r.run(t, 4, unknown)
	got, _ := r.run(t, 1, fails, unknown, "--output", "json", "--parallel", "2")
	run := oneDocument(t, got.Stdout)
	if diff := cmp.Diff([]string{"fails failed", "unknown inconclusive"}, outcomes(run)); diff != "" || run.ExitCode != 1 {
		t.Errorf("exit code %d, variants (-want +got):\n%s", run.ExitCode, diff)
	}
	if !strings.Contains(got.Stderr, "failed: ledger at v1  "+fails+":8\n") {
		t.Errorf("what failed is not told with its place:\n%s", got.Stderr)
	}
}

// labels: only what fits is run, and nothing that fits is a mistake.
func (r runs) labels(t *testing.T) {
	label := func(path, labels string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		labelled := bytes.Replace(text, []byte("metadata: {name: "), []byte("metadata: {labels: "+labels+", name: "), 1)
		if err := os.WriteFile(path, labelled, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	label(r.Note("label-one", ""), "{area: one}")
	label(r.Note("label-two", ""), "{area: two, tier: nightly}")
	got, _ := r.run(t, 0, filepath.Join(r.Dir, "label-*.yaml"), "--label", "area,tier!=nightly", "--output", "json")
	if diff := cmp.Diff([]string{"label-one passed"}, outcomes(oneDocument(t, got.Stdout))); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
	none := r.Want(2, "run", filepath.Join(r.Dir, "label-*.yaml"), "--label", "area=three")
	if !strings.Contains(none.Stderr, `fits the label selector "area=three"`) {
		t.Errorf("told: %s", none.Stderr)
	}
}

// compare: what only one run has is a difference, unless it is left out, and nothing in common is a mistake.
func (r runs) compare(t *testing.T) {
	one, two := r.Note("compare-one", ""), r.Note("compare-two", "")
	_, both := r.run(t, 0, one, two)
	_, first := r.run(t, 0, one)
	_, second := r.run(t, 0, two)
	if got := r.Want(1, "compare", both, first); !strings.Contains(got.Stdout, "1 variants the same, 1 different") {
		t.Errorf("told: %s", got.Stdout)
	}
	if got := r.Want(0, "compare", both, first, "--common"); !strings.Contains(got.Stdout, "1 variants the same, 0 different") {
		t.Errorf("told: %s", got.Stdout)
	}
	if got := r.Want(2, "compare", first, second, "--common"); !strings.Contains(got.Stderr, "nothing that") {
		t.Errorf("told: %s", got.Stderr)
	}
}

// failFast: what comes after a failure is skipped.
func (r runs) failFast(t *testing.T) {
	fails, later := r.Note("first", "  assert: [{ledger: {deployed: 9}}]\n"), r.Note("second", "")
	got, dir := r.run(t, 1, fails, later, "--fail-fast", "--parallel", "1", "--output", "json")
	if diff := cmp.Diff([]string{"first failed", "second skipped"}, outcomes(oneDocument(t, got.Stdout))); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
	suites, err := gojunit.IngestFile(filepath.Join(dir, "junit.xml"))
	if err != nil || len(suites) != 2 || suites[1].Totals.Skipped == 0 {
		t.Errorf("junit.xml: %+v, %v", suites, err)
	}
}

// seed: the same seed delays the readiness of each pod by the same time, which is another one for each.
func (r runs) seed(t *testing.T) {
	path := r.Scenario("jitter", `  release: {name: shop, chart: charts/shop, values: {migration: {enabled: false}}}
  readiness: [{workload: Deployment/backend, delay: 10ms, jitter: 2s}]
  steps: [{name: v1, install: {}}]
`)
	delays := func() []string {
		_, dir := r.run(t, 0, path, "--seed", "7")
		bundle, err := evidence.Load(filepath.Join(dir, "jitter"))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range bundle.Timeline {
			if e.Readiness != nil && e.Readiness.Decision == "released" {
				all = append(all, e.Readiness.After.String())
			}
		}
		slices.Sort(all)
		return all
	}
	first, again := delays(), delays()
	if len(first) != 2 || first[0] == first[1] || !slices.Equal(first, again) {
		t.Errorf("delays with seed 7: %v, again: %v", first, again)
	}
}

// secrets: no value of a Secret is in anything that the program writes, wherever it came from.
func (r runs) secrets(t *testing.T) {
	r.Write("values.yaml", "credentials: {fromFile: correct-horse-battery}\n")
	path := r.Scenario("secrets", `  release: {name: shop, chart: charts/shop, valueFiles: [values.yaml], values: {credentials: {password: hunter2-tr0ub4dor}, backend: {env: {LEAK: hunter2-tr0ub4dor}}}}
  actors: [{name: hand, patch: {object: Secret/db-credentials, type: merge, patch: {stringData: {password: by-hand-s3cret}}}}]
  steps:
  - {name: v1, install: {}}
  - {name: edited, act: hand}
  - {name: v2, upgrade: {values: {credentials: {password: second-s3cret}}, forceConflicts: true}, expect: {error: second-s3cret}}
  assert:
  - object: {at: v1, object: Deployment/backend, match: {metadata: {annotations: {leak: hunter2-tr0ub4dor}}}}
`)
	got, dir := r.run(t, 1, path, "--output", "json")
	written := map[string]string{"standard output": got.Stdout, "standard error": got.Stderr}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		written[path] = string(text)
		return err
	})
	if err != nil || len(written) < 10 {
		t.Fatalf("%d files: %v", len(written), err)
	}
	for _, secret := range []string{"hunter2-tr0ub4dor", "correct-horse-battery", "second-s3cret", "by-hand-s3cret"} {
		for name, text := range written {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(secret))
			if strings.Contains(text, secret) || strings.Contains(text, encoded) {
				t.Errorf("%s holds %s", name, secret)
			}
		}
	}
}

// noSuchCluster: a name that is not known is the user's mistake.
func (r runs) noSuchCluster(t *testing.T) {
	got := r.Want(2, "run", r.Note("lost", ""), "--cluster", "night")
	if !strings.Contains(got.Stderr, "no such cluster: night (there are: day)") {
		t.Errorf("told: %s", got.Stderr)
	}
}
