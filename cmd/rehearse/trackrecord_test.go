package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/trackrecord"
)

// pitfalls is how many pitfalls a rehearsal must catch.
const pitfalls = 28

var record = trackRecord{
	scenarios: "../../scenarios", verdicts: "../../scenarios/track-record.json", document: "../../README.md",
}

// TestTrackRecordIsCurrent: -update writes the table anew, from the verdicts on record.
func TestTrackRecordIsCurrent(t *testing.T) {
	t.Parallel()
	rows, err := record.rows()
	if err != nil {
		t.Fatal(err)
	}
	last, err := record.last()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := record.write(rows, last); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(record.document)
	if err != nil {
		t.Fatal(err)
	}
	want, err := trackrecord.Replace(string(is), trackrecord.Table(rows, last))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(is)); diff != "" {
		t.Errorf("the README's track record is out of date (-want +got); run make track-record:\n%s", diff)
	}
	for _, row := range rows {
		if last[row.Scenario].Verdict != verdict.Passed {
			t.Errorf("%s has the verdict %q on record; every row is a scenario that passed", row.Scenario, last[row.Scenario].Verdict)
		}
		delete(last, row.Scenario)
	}
	for name := range last {
		t.Errorf("%s has a verdict on record and no trackRecord", name)
	}
}

func TestEveryPitfallHasARow(t *testing.T) {
	t.Parallel()
	rows, err := record.rows()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, row := range rows {
		seen[row.Pitfall] = true
		if row.Pitfall < 1 || row.Pitfall > pitfalls {
			t.Errorf("%s is about pitfall %d; there are %d", row.Scenario, row.Pitfall, pitfalls)
		}
	}
	for n := 1; n <= pitfalls; n++ {
		if !seen[n] {
			t.Errorf("no scenario is on record for pitfall %d", n)
		}
	}
}

const onRecord = `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: scaler, labels: {pitfall: "1"}}
spec:
  description: A scaler.
  knownIssue: {issue: helm/helm#1, summary: x}
  trackRecord: {defect: Goes wrong, shows: true}
  release: {name: shop, chart: "oci://example.invalid/shop"}
  steps: [{name: v1, install: {}}]
`

// folder writes a small repository, and returns its track record.
func folder(t *testing.T, files map[string]string) trackRecord {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return trackRecord{
		scenarios: filepath.Join(dir, "scenarios"), verdicts: filepath.Join(dir, "verdicts.json"), document: filepath.Join(dir, "README.md"),
	}
}

func TestTrackRecordAgainstARun(t *testing.T) {
	t.Parallel()
	r := folder(t, map[string]string{
		"scenarios/a/scaler.yaml": onRecord,
		"README.md":               "# x\n" + trackrecord.Begin + "\n" + trackrecord.End + "\nrest\n",
		"verdicts.json":           "{}",
	})
	rows, err := r.rows()
	if err != nil {
		t.Fatal(err)
	}
	passed := trackrecord.Outcomes{"scaler": {Verdict: verdict.Passed, Helm: []string{"4.3.1"}}}
	if err := r.write(rows, passed); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.check(&out, rows, passed); err != nil || out.String() != "" {
		t.Errorf("what was just written is not current: %v\n%s", err, out.String())
	}
	text, err := os.ReadFile(r.document)
	want := "| 1 | Goes wrong | [helm/helm#1](https://github.com/helm/helm/issues/1) | `scenarios/a/scaler.yaml` | 4.3.1 | passed |\n"
	if err != nil || !strings.Contains(string(text), want) || !strings.HasSuffix(string(text), "\nrest\n") {
		t.Errorf("the document lacks %q, or what came after: %v\n%s", want, err, text)
	}
	for name, now := range map[string]trackrecord.Outcomes{
		"another verdict":  {"scaler": {Verdict: verdict.Failed, Helm: []string{"4.3.1"}}},
		"another version":  {"scaler": {Verdict: verdict.Passed, Helm: []string{"4.4.0"}}},
		"not in the run":   {},
		"skipped, so what": {"scaler": {Verdict: verdict.Skipped, Helm: []string{"4.3.1"}}},
	} {
		var out strings.Builder
		if err := r.check(&out, rows, now); err == nil || !strings.HasPrefix(out.String(), "scaler: on record it passed with Helm 4.3.1, ") {
			t.Errorf("%s: error %v, told %q", name, err, out.String())
		}
	}
}

func TestTrackRecordNeedsANumber(t *testing.T) {
	t.Parallel()
	r := folder(t, map[string]string{"scenarios/scaler.yaml": strings.Replace(onRecord, `pitfall: "1"`, "other: x", 1)})
	if _, err := r.rows(); err == nil || !strings.Contains(err.Error(), "label pitfall") {
		t.Errorf("error %v, want one that asks for the label", err)
	}
}

func TestBornUnder(t *testing.T) {
	t.Parallel()
	for versions, want := range map[string]string{
		"v4.3.1": "4.3.1", "v3.22.0, v4.3.1": "4.3.1 after 3.22.0", "v3.22.0, v4.2.0, v4.3.1": "4.3.1 after 3.22.0 and 4.2.0", "": "",
	} {
		if got := bornUnder(versions); got != want {
			t.Errorf("%q is %q, want %q", versions, got, want)
		}
	}
}
