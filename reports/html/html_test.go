package html_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/html"
	"rehearse.dev/rehearse/reports/internal/sample"
)

func render(t *testing.T, run verdict.Run) string {
	t.Helper()
	dir := t.TempDir()
	if err := sample.WriteBundles(dir); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err := html.Write(&b, run, func(name string) (*evidence.Bundle, error) { return evidence.Load(filepath.Join(dir, name)) })
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOut(t *testing.T) {
	_ = render(t, sample.Run())
}
