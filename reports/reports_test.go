package reports_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports"
	"rehearse.dev/rehearse/reports/internal/sample"
	"rehearse.dev/rehearse/reports/junit"
)

func TestWriteAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := sample.WriteBundles(dir); err != nil {
		t.Fatal(err)
	}
	if err := reports.WriteAll(dir, sample.Run(), reports.WithJUnit(junit.Options{PathBase: "artifacts/run"})); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"junit.xml":   "[[ATTACHMENT|artifacts/run/report.html]]",
		"report.json": `"apiVersion": "rehearse.dev/v1alpha1"`,
		"summary.md":  "## ❌ Rehearsal failed",
		"report.html": "Fields that changed hands",
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// A bundle that is missing is told in the page; it is no reason to write no report.
func TestWriteAllWithoutEvidence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := reports.WriteAll(dir, sample.Run()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), "No evidence is shown") {
		t.Error("report.html does not say that evidence is missing")
	}
}

// One report that cannot be written must not keep the others from being.
func TestWriteAllGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "junit.xml", "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := reports.WriteAll(dir, verdict.Run{})
	if err == nil || !strings.Contains(err.Error(), "write report junit") {
		t.Errorf("error = %v, want one that names the report junit", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"junit.xml", "report.html", "report.json", "summary.md"}; !slices.Equal(names, want) {
		t.Errorf("folder holds %q, want %q", names, want)
	}
}

func TestRegistryIsComplete(t *testing.T) {
	t.Parallel()
	all := reports.Registry()
	files := map[string]bool{}
	for _, name := range all.Names() {
		e, err := all.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if e.Summary == "" || e.Code.File == "" || files[e.Code.File] {
			t.Errorf("report %s has no summary or no file name of its own: %q, %q", name, e.Summary, e.Code.File)
		}
		files[e.Code.File] = true
		if err := e.Code.Write(io.Discard, verdict.Run{}, nil); err != nil {
			t.Errorf("report %s of an empty run: %v", name, err)
		}
	}
}
