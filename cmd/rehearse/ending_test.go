package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/harness/verdict"
)

// endless is a scenario whose step waits never goes on by itself.
func (h *home) endless(name string) string {
	h.T.Helper()
	return h.Scenario(name, `  release: {name: note, chart: charts/note}
  timeouts: {step: 10m}
  steps:
  - {name: v1, install: {}}
  - {name: waits, await: {object: ConfigMap/note, status: NotFound}}
  - {name: back, rollback: 1}
  assert: [{ledger: {}}]
`)
}

// TestInterrupt: Ctrl-C ends a run within a step. All that it made is gone, its evidence can be read, and all reports are
// written.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.Start("run", h.endless("waits"), h.Note("later", ""), "--parallel", "1", "--reports", "runs", "--output", "json")
	p.Says("waits: step waits (await)")
	p.Signal(syscall.SIGINT)
	got := p.Wait()
	if got.Code != verdict.ExitInterrupted {
		t.Fatalf("exit code %d\n%s", got.Code, got.Stderr)
	}
	run := oneDocument(t, got.Stdout)
	if want := []string{"later passed", "waits errored"}; !slices.Equal(outcomes(run), want) {
		t.Errorf("outcomes %v, want %v", outcomes(run), want)
	}
	if !strings.Contains(got.Stderr, "the run was interrupted during this step: interrupt signal received") {
		t.Errorf("the interruption is not told:\n%s", got.Stderr)
	}
	dir := runFolder(t, filepath.Join(h.Dir, "runs"))
	for _, file := range []string{"junit.xml", "report.html", "waits/verdict.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	again := h.Want(verdict.ExitErrored, "judge", dir, "--write")
	if !strings.Contains(again.Stderr, "errored: waits") {
		t.Errorf("judged again:\n%s", again.Stderr)
	}
}

// TestKeep: what is kept can be looked at until Ctrl-C, which removes it and leaves the verdict as it is.
func TestKeep(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.Start("run", h.Note("kept", ""), "--keep")
	p.Says("kept until Ctrl-C, which removes it all")
	all := p.Said()
	_, command, _ := strings.Cut(all, "kept kept: kubectl --kubeconfig=")
	kubeconfig, rest, _ := strings.Cut(command, " -n ")
	namespace, _, _ := strings.Cut(rest, " ")
	if !slices.Contains(everything(t, kubeconfig), "Namespace/"+namespace) {
		t.Errorf("namespace %q is not there", namespace)
	}
	p.Signal(syscall.SIGINT)
	if got := p.Wait(); got.Code != verdict.ExitPassed || !strings.Contains(got.Stderr, "1 passed in") {
		t.Errorf("exit code %d\n%s", got.Code, got.Stderr)
	}
}

// TestClusterDies: a control plane that ends is no verdict on the operation, is noticed at once, and leaves its logs.
func TestClusterDies(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.Start("run", h.endless("waits"), "--reports", "runs")
	p.Says("waits: step waits (await)")
	if err := syscall.Kill(h.Component("kube-apiserver"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := p.Wait()
	if got.Code != verdict.ExitErrored || !strings.Contains(got.Stderr, "died: kube-apiserver ended: signal: killed") {
		t.Errorf("exit code %d\n%s", got.Code, got.Stderr)
	}
	logs, err := filepath.Glob(filepath.Join(runFolder(t, filepath.Join(h.Dir, "runs")), "waits", "logs", "*.log"))
	if err != nil || len(logs) < 4 {
		t.Errorf("logs: %v, %v", logs, err)
	}
	if strings.Contains(got.Stderr, "failed:") {
		t.Errorf("something failed:\n%s", got.Stderr)
	}
}

// TestKilled: rehearse gc removes what a killed run left on a cluster that outlives it, and leaves the cluster alone.
func TestKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	kubeconfig := h.Up("--nodes", "1")
	before := everything(t, kubeconfig)
	p := h.Start("run", h.endless("waits"), "--cluster", "rehearse", "--reports", "runs")
	p.Says("waits: step waits (await)")
	p.Signal(syscall.SIGKILL)
	p.Wait()
	if got := h.Want(0, "gc", "--dry-run"); !strings.Contains(got.Stdout, "would remove namespace rehearse.rh-waits-") {
		t.Errorf("a dry run tells: %s", got.Stdout)
	}
	got := h.Want(0, "gc")
	if !strings.Contains(got.Stdout, "removed 1, failed 0, in use 1") {
		t.Errorf("gc tells: %s", got.Stdout)
	}
	if after := everything(t, kubeconfig); !slices.Equal(before, after) {
		t.Errorf("the cluster held %v, and now %v", before, after)
	}
	judged := h.Want(verdict.ExitInconclusive, "judge", runFolder(t, filepath.Join(h.Dir, "runs")))
	if !strings.Contains(judged.Stderr, "killed") {
		t.Errorf("judged: %s", judged.Stderr)
	}
	h.Want(0, "cluster", "down")
}

// TestClusterUpEnds: however cluster up ends midway, nothing is left but what can be listed and taken down.
func TestClusterUpEnds(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	interrupted := h.Start("cluster", "up", "--nodes", "1")
	interrupted.Says("starting etcd")
	interrupted.Signal(syscall.SIGINT)
	if got := interrupted.Wait(); got.Code != verdict.ExitInterrupted {
		t.Errorf("interrupted: exit code %d\n%s", got.Code, got.Stderr)
	}
	if left := h.Records(); len(left) > 0 {
		t.Errorf("an interrupted cluster up left %v", left)
	}

	// Killed, it leaves a cluster that goes on to boot, and that the next command finds.
	killed := h.Start("cluster", "up", "--nodes", "1")
	killed.Says("starting etcd")
	killed.Signal(syscall.SIGKILL)
	killed.Wait()
	h.Want(0, "cluster", "down")

	// Its keeper killed, cluster up fails, and gc removes the rest.
	orphaned := h.Start("cluster", "up", "--nodes", "1")
	orphaned.Says("starting etcd")
	if err := syscall.Kill(h.Cluster().Owner.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := orphaned.Wait(); got.Code != verdict.ExitErrored || !strings.Contains(got.Stderr, "it ended before the cluster was ready") {
		t.Errorf("orphaned: exit code %d\n%s", got.Code, got.Stderr)
	}
	h.Want(0, "gc")
}
