package junit_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gojunit "github.com/joshdk/go-junit"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/sample"
	"rehearse.dev/rehearse/reports/junit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestWriteGolden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run     verdict.Run
		options junit.Options
	}{
		"default": {run: sample.Run()},
		"xunit2":  {run: sample.Run(), options: junit.Options{Dialect: junit.XUnit2, PathBase: "reports/runs/20260504-093000-4f2a"}},
		"cleanup": {run: verdict.Run{Started: sample.Started(), CleanupErr: "namespace shop-1 is still Terminating after 30s"}},
		"empty":   {run: verdict.Run{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, filepath.Join("testdata", name+".xml"), write(t, test.run, test.options))
		})
	}
}

// What another program's reader makes of the file.
func TestWriteIsReadBack(t *testing.T) {
	t.Parallel()
	suites, err := gojunit.Ingest(write(t, sample.Run(), junit.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range suites {
		got = append(got, fmt.Sprintf("%s: %d tests, %d failed, %d errors, %d skipped", s.Name, s.Totals.Tests, s.Totals.Failed, s.Totals.Error, s.Totals.Skipped))
	}
	want := []string{
		"clean-rollback: 6 tests, 0 failed, 0 errors, 0 skipped",
		"scaler-survives-rollback[forceConflicts=false]: 8 tests, 0 failed, 0 errors, 0 skipped",
		"scaler-survives-rollback[forceConflicts=true]: 8 tests, 2 failed, 0 errors, 0 skipped",
		"slow-database: 2 tests, 0 failed, 1 errors, 0 skipped",
		"api-gone: 4 tests, 0 failed, 2 errors, 1 skipped",
		"real-probes: 1 tests, 0 failed, 0 errors, 1 skipped",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("suites read back (-want +got):\n%s", diff)
	}
	if got, want := suites[2].Properties["version.helm"], "v4.3.1"; got != want {
		t.Errorf("property version.helm = %q, want %q", got, want)
	}
	failed := suites[2].Tests[5]
	if failed.Status != gojunit.StatusFailed || !strings.HasPrefix(failed.Message, "Deployment/backend .spec.replicas: expected exactly hpa") {
		t.Errorf("failed testcase read back as %s with message %q", failed.Status, failed.Message)
	}
	if !strings.Contains(failed.Error.Error(), "known issue: k3s-io/helm-controller#343") {
		t.Errorf("its text lacks the known issue: %v", failed.Error)
	}
	if !strings.Contains(failed.SystemOut, "\n[[ATTACHMENT|"+sample.FailedDir+"/timeline.jsonl]]\n") {
		t.Errorf("its output lacks the attachment on a line of its own:\n%s", failed.SystemOut)
	}
}

// What ran beside a variant says nothing of its own versions. Those of a run that did not note them are the run's.
func TestWriteTellsTheVariantsVersions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		variant          verdict.Variant
		helm, kubernetes string
	}{
		"its own":   {verdict.Variant{Helm: "v4.2.0", Kubernetes: "v1.30.2"}, "v4.2.0", "v1.30.2"},
		"not noted": {verdict.Variant{}, "v4.3.1", "v1.30.2, v1.36.3"},
	} {
		test.variant.Verdicts = []verdict.Verdict{{Name: "v1", Kind: "step", Status: verdict.Passed}}
		run := verdict.Run{
			Versions: map[string]string{"helm": "v4.3.1", "kubernetes": "v1.30.2, v1.36.3", "kwok": "v0.8.0"},
			Variants: []verdict.Variant{test.variant},
		}
		suites, err := gojunit.Ingest(write(t, run, junit.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for component, want := range map[string]string{"helm": test.helm, "kubernetes": test.kubernetes, "kwok": "v0.8.0"} {
			if got := suites[0].Properties["version."+component]; got != want {
				t.Errorf("%s: the suite's version.%s = %q, want %q", name, component, got, want)
			}
			if text := suites[0].Tests[0].SystemOut; !strings.Contains(text, "[[PROPERTY|version."+component+"="+want+"]]") {
				t.Errorf("%s: the testcase does not tell %s %s:\n%s", name, component, want, text)
			}
		}
		if run.Versions["helm"] != "v4.3.1" {
			t.Errorf("%s: the run's versions were changed: %v", name, run.Versions)
		}
	}
}

func TestWriteSurvivesAnyText(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"control characters": "a\x00b\x1b[31mred\x1b[0m\x07",
		"end of CDATA":       "x ]]> y ]]]]>> z",
		"invalid UTF-8":      "caf\xe9 \xff\xfe",
		"noncharacters":      "\uFFFE\uFFFF \U0001F600",
		"markup":             `<a href="x">&amp;</a> 'q'`,
		"lines":              "one\r\ntwo\n\n\tthree",
		"very long":          strings.Repeat("ö", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			short := message[:min(len(message), 40)]
			run := verdict.Run{ID: short, Variants: []verdict.Variant{{
				Scenario: short, File: short, Dir: short, Status: verdict.Failed, Reason: message,
				Verdicts: []verdict.Verdict{{Name: short, Kind: "step", Status: verdict.Failed, Message: message, File: short}},
			}}}
			out := write(t, run, junit.Options{})
			wellFormed(t, out)
			if len(out) > 100_000 {
				t.Errorf("the file has %d bytes: long messages must be cut", len(out))
			}
		})
	}
}

func TestWriteKeepsNamesUnique(t *testing.T) {
	t.Parallel()
	twice := verdict.Variant{Scenario: "s", Verdicts: []verdict.Verdict{
		{Name: "live", Kind: "live", Status: verdict.Passed}, {Name: "live", Kind: "live", Status: verdict.Passed},
	}}
	out := write(t, verdict.Run{Variants: []verdict.Variant{twice, twice}}, junit.Options{})
	suites, err := gojunit.Ingest(out)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[2]string]bool{}
	for _, s := range suites {
		for _, c := range s.Tests {
			if key := [2]string{c.Classname, c.Name}; seen[key] {
				t.Errorf("classname %q with name %q occurs twice", c.Classname, c.Name)
			} else {
				seen[key] = true
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d different testcases, want 4", len(seen))
	}
}

func TestWriteStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[verdict.Status]string{
		verdict.Passed:       "",
		verdict.Failed:       "<failure",
		verdict.Errored:      `<error type="errored"`,
		verdict.Inconclusive: `<error type="inconclusive"`,
		verdict.Skipped:      "<skipped",
		"surprise":           `<error type="unknown"`,
	} {
		run := verdict.Run{Variants: []verdict.Variant{{Scenario: "s", Verdicts: []verdict.Verdict{{Name: "x", Kind: "live", Status: status}}}}}
		out := string(write(t, run, junit.Options{}))
		if !strings.Contains(out, want) {
			t.Errorf("status %q: no %q in\n%s", status, want, out)
		}
		if elements := strings.Count(out, "<failure") + strings.Count(out, "<error") + strings.Count(out, "<skipped"); want == "" && elements != 0 {
			t.Errorf("status %q: an outcome element in\n%s", status, out)
		}
	}
}

func TestWriteTimes(t *testing.T) {
	t.Parallel()
	run := verdict.Run{Duration: 75*time.Minute + 1499*time.Microsecond}
	if out := string(write(t, run, junit.Options{})); !strings.Contains(out, `time="4500.001"`) {
		t.Errorf("no time in seconds with three digits in %s", out)
	}
}

func TestParseDialect(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]junit.Dialect{"": junit.Default, "default": junit.Default, "xunit2": junit.XUnit2} {
		if got, err := junit.ParseDialect(in); err != nil || got != want {
			t.Errorf("ParseDialect(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	if _, err := junit.ParseDialect("nunit"); err == nil {
		t.Error("ParseDialect(nunit) succeeded")
	}
}

func write(t *testing.T, run verdict.Run, o junit.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := junit.Write(&b, run, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wellFormed(t *testing.T, doc []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed XML: %v\n%.2000s", err, doc)
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update if that is right:\n%s", file, diff)
	}
}
