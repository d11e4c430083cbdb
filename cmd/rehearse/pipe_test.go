package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/verdict"
)

// shell runs a script, in which the program is called, where the home's program runs, and fails if that takes too long.
func (h *home) shell(script string) {
	h.T.Helper()
	ctx, cancel := context.WithTimeout(h.T.Context(), hometest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	cmd.Dir, cmd.Env, cmd.WaitDelay = h.Dir, h.Environ(), time.Second
	if err := cmd.Run(); err != nil {
		h.T.Fatalf("%s: %v", script, err)
	}
}

// TestReaderLeaves: whoever reads the program's output may leave. The run goes on: its verdict decides, its reports are
// there, and, which the home sees to, nothing of it is left.
func TestReaderLeaves(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Scenario("fails", "  release: {name: note, chart: charts/note}\n  steps: [{name: v1, install: {}, expect: {error: never}}]\n")
	h.shell("{ rehearse run fails.yaml --reports runs --output json 2>&1; echo $? >code; } | head -5")
	code, err := os.ReadFile(filepath.Join(h.Dir, "code"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(code); got != "1\n" {
		t.Errorf("exit code %q, want that of a failed run", got)
	}
	dir := runFolder(t, filepath.Join(h.Dir, "runs"))
	for _, file := range []string{"junit.xml", "report.html", "fails/verdict.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	h.shell("{ rehearse schema; echo $? >code; } | :")
	if code, err := os.ReadFile(filepath.Join(h.Dir, "code")); err != nil || string(code) != "0\n" {
		t.Errorf("what only prints: exit code %q, %v", code, err)
	}
}

// TestKeepTellsWhy: why a kept run failed is told, and reported, while it can be looked at, and told once.
func TestKeepTellsWhy(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	path := h.Scenario("fails", "  release: {name: note, chart: charts/note}\n  steps: [{name: v1, install: {}, expect: {error: never}}]\n")
	p := h.Start("run", path, "--keep", "--reports", "runs")
	p.Says("kept until Ctrl-C, which removes it all")
	before := p.Said()
	for _, want := range []string{"failed: v1", "\n1 failed in", "report: runs/"} {
		if !strings.Contains(before, want) {
			t.Errorf("%q is not told while the run is kept:\n%s", want, before)
		}
	}
	page := filepath.Join(runFolder(t, filepath.Join(h.Dir, "runs")), "report.html")
	first, err := os.Stat(page)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // file systems have coarse clocks
	p.Signal(syscall.SIGINT)
	got := p.Wait()
	if got.Code != verdict.ExitFailed || strings.Count(got.Stderr, "\n1 failed in") != 1 || strings.Contains(got.Stderr, "interrupted") {
		t.Errorf("exit code %d\n%s", got.Code, got.Stderr)
	}
	if last, err := os.Stat(page); err != nil || !last.ModTime().After(first.ModTime()) {
		t.Errorf("the final report was not written: %v", err)
	}
}

// TestInterruptIsHeard: the first Ctrl-C is answered at once, and the second, which ends the program, says what to do then.
func TestInterruptIsHeard(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Up("--nodes", "1")
	path := h.Scenario("stuck", `  release: {name: note, chart: charts/stuck}
  timeouts: {step: 10m, cleanup: 30s}
  steps:
  - {name: v1, install: {}}
  - {name: waits, await: {object: ConfigMap/note, status: NotFound}}
`)
	h.Write("charts/stuck/Chart.yaml", "apiVersion: v2\nname: stuck\nversion: 0.1.0\n")
	h.Write("charts/stuck/templates/note.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, finalizers: [example.com/stuck]}\n")
	p := h.Start("run", path, "--cluster", "rehearse")
	p.Says("stuck: step waits (await)")
	p.Signal(syscall.SIGINT)
	p.Says("interrupted: cleaning up; press Ctrl-C again to stop at once (rehearse gc then removes what is left)")
	p.Says("cleaning up: waiting for namespace rh-stuck-")
	p.Signal(syscall.SIGINT)
	got := p.Wait()
	if !strings.Contains(got.Stderr, "rehearse: stopped at once; rehearse gc removes what is left, if anything is") || !died(p) {
		t.Errorf("exit code %d\n%s", got.Code, got.Stderr)
	}
	h.Want(0, "cluster", "down")
	h.Want(0, "gc")
}

// died reports whether SIGINT ended a program, which tells a shell that it was the user.
func died(p *hometest.Program) bool {
	status, ok := p.Cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGINT
}
