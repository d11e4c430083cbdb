package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rehearse.dev/rehearse/harness/verdict"
)

// TestFullDisk: a file system that fills up during a run, or before it, is an error of the harness that says so.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	small := filepath.Join(h.Dir, "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=300k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(small, 0); err != nil {
			t.Error(err)
		}
	})
	path := h.Scenario("shop", "  release: {name: shop, chart: charts/shop}\n  steps:\n  - {name: v1, install: {}}\n  - {name: v2, upgrade: {values: {tag: v2}}}\n")
	got := h.Want(verdict.ExitErrored, "run", path, "--reports", small)
	for _, text := range []string{"errored", "evidence in " + small, "no space left on device", "write report junit"} {
		if !strings.Contains(got.Stderr, text) {
			t.Errorf("%q is not told:\n%s", text, got.Stderr)
		}
	}
	got = h.Want(verdict.ExitErrored, "run", path, "--reports", small)
	if !strings.Contains(got.Stderr, "no space left on device") {
		t.Errorf("told:\n%s", got.Stderr)
	}
}
