package embedded

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// TestDataRoot: what clusters keep is in memory where there is room for it.
func TestDataRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		dir    string
		wanted uint64
		want   string
	}{
		"room":     {dir, 1, dir},
		"no room":  {dir, math.MaxUint64, os.TempDir()},
		"no entry": {file, 1, os.TempDir()},
		"missing":  {filepath.Join(dir, "none"), 1, os.TempDir()},
	} {
		if got := roomIn(test.dir, test.wanted); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if got, want := dataRoot(), roomIn("/dev/shm", wantedSpace); got != want {
		t.Errorf("clusters' data is in %s, want %s", got, want)
	}
}

// TestExplainBoot: the remedy of a full disk is for the one that is full.
func TestExplainBoot(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		full bool
	}{
		"data":        {&os.PathError{Op: "write", Path: "/data/x", Err: syscall.ENOSPC}, true},
		"component":   {&ComponentError{Component: etcd, Err: errEnded, Tail: "write: " + syscall.ENOSPC.Error()}, true},
		"journal":     {fmt.Errorf("%w: %w", journal.ErrNoSpace, syscall.ENOSPC), false},
		"other cause": {syscall.EIO, false},
	} {
		err := explainBoot(test.err, "/data")
		if errors.Is(err, ErrNoSpace) != test.full || !errors.Is(err, test.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
