package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGCWaits: gc that waits for another one says so, and goes on after that, or ends as interrupted.
func TestGCWaits(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Want(0, "gc") // makes the journal and its lock
	lock, err := os.Open(filepath.Join(h.State(), "journal", ".collect.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	interrupted := h.Start("gc")
	interrupted.Says("gc: another process is removing what runs left behind; waiting for it\n")
	interrupted.Signal(syscall.SIGINT)
	if got := interrupted.Wait(); got.Code != 130 {
		t.Errorf("interrupted: exit code %d\n%s", got.Code, got.Stderr)
	}
	p := h.Start("gc")
	p.Says("gc: another process is removing what runs left behind; waiting for it\n")
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if got := p.Wait(); got.Code != 0 || got.Stdout != "removed 0, failed 0, in use 0\n" {
		t.Errorf("exit code %d, told %q\n%s", got.Code, got.Stdout, got.Stderr)
	}
}
