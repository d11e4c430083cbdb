package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

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
	if err := errors.Join(os.WriteFile(timeline, text[:end], 0o644), os.Remove(filepath.Join(killed, evidence.VerdictFile))); err != nil {
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

// TestSkippedJudgedAgain: what was skipped on its provider left no bundle, and is still skipped for the same reason.
func TestSkippedJudgedAgain(t *testing.T) {
	t.Parallel()
	plans := several(t, 2, "cluster")
	for i := range plans {
		plans[i].Scenario.Spec.Cluster.NotOn = map[string]string{"embedded": "nothing runs there"}
	}
	out, dir := performIn(t, t.Context(), Config{Parallel: 1}, plans)
	again, err := Rejudge(dir, Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]verdict.Run{"run": out, "judged again": again} {
		if run.ExitCode != verdict.ExitPassed || len(run.Variants) != 2 {
			t.Errorf("%s: exit code %d, %d variants", name, run.ExitCode, len(run.Variants))
		}
		for _, v := range run.Variants {
			if v.Status != verdict.Skipped || v.Reason != "not on embedded: nothing runs there" || v.Provider != "embedded" {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
}
