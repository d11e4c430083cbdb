package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rehearse.dev/rehearse/harness/verdict"
)

// TestFullDisk: a file system that fills up during a run, or before it, is an error of the harness that says so, and what to do.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	small := filepath.Join(h.Dir, "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	mountSmall(t, small, "300k")
	path := h.Scenario("shop", "  release: {name: shop, chart: charts/shop}\n  steps:\n  - {name: v1, install: {}}\n  - {name: v2, upgrade: {values: {tag: v2}}}\n")
	got := h.Want(verdict.ExitErrored, "run", path, "--reports", small)
	for _, text := range []string{"errored", "evidence in " + small, "no space left on device (make room there, or have ", "write report junit"} {
		if !strings.Contains(got.Stderr, text) {
			t.Errorf("%q is not told:\n%s", text, got.Stderr)
		}
	}
	got = h.Want(verdict.ExitErrored, "run", path, "--reports", small)
	if !strings.Contains(got.Stderr, "run.json") || !strings.Contains(got.Stderr, "no space left on device (make room there, or have ") {
		t.Errorf("told:\n%s", got.Stderr)
	}
}

// TestFullJournal: without room to note what is made, nothing is, and the error says what to do.
func TestFullJournal(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	mountSmall(t, h.State(), "64k")
	if err := os.WriteFile(filepath.Join(h.State(), "rest"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("not full: %v", err)
	}
	path := h.Scenario("note", "  release: {name: note, chart: charts/note}\n  steps:\n  - {name: v1, install: {}}\n")
	got := h.Want(verdict.ExitErrored, "run", path)
	for _, text := range []string{"errored", "journal: begin cluster", "no space left on device (make room there, or set REHEARSE_STATE_DIR "} {
		if !strings.Contains(got.Stderr, text) {
			t.Errorf("%q is not told:\n%s", text, got.Stderr)
		}
	}
}

// mountSmall puts a file system on dir that has little room, until the end of the test.
func mountSmall(t *testing.T, dir, size string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}
