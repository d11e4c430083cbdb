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
	h.t.Helper()
	return h.scenario(name, `  release: {name: note, chart: charts/note}
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
	p := h.start("run", h.endless("waits"), h.note("later", ""), "--parallel", "1", "--reports", "runs", "--output", "json")
	p.says("waits: step waits (await)")
	p.signal(syscall.SIGINT)
	got := p.wait()
	if got.code != verdict.ExitInterrupted {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	run := oneDocument(t, got.stdout)
	if want := []string{"later passed", "waits errored"}; !slices.Equal(outcomes(run), want) {
		t.Errorf("outcomes %v, want %v", outcomes(run), want)
	}
	if !strings.Contains(got.stderr, "the run was interrupted during this step: interrupt signal received") {
		t.Errorf("the interruption is not told:\n%s", got.stderr)
	}
	dir := runFolder(t, filepath.Join(h.dir, "runs"))
	for _, file := range []string{"junit.xml", "report.html", "waits/verdict.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	again := h.want(verdict.ExitErrored, "judge", dir, "--write")
	if !strings.Contains(again.stderr, "errored: waits") {
		t.Errorf("judged again:\n%s", again.stderr)
	}
}

// TestKeep: what is kept can be looked at until Ctrl-C, which removes it and leaves the verdict as it is.
func TestKeep(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start("run", h.note("kept", ""), "--keep")
	p.says("kept until Ctrl-C, which removes it all")
	all, _ := p.stderr.read()
	_, command, _ := strings.Cut(all, "kept kept: kubectl --kubeconfig=")
	kubeconfig, rest, _ := strings.Cut(command, " -n ")
	namespace, _, _ := strings.Cut(rest, " ")
	if !slices.Contains(everything(t, kubeconfig), "Namespace/"+namespace) {
		t.Errorf("namespace %q is not there", namespace)
	}
	p.signal(syscall.SIGINT)
	if got := p.wait(); got.code != verdict.ExitPassed || !strings.Contains(got.stderr, "1 passed in") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}

// TestClusterDies: a control plane that ends is no verdict on the operation, is noticed at once, and leaves its logs.
func TestClusterDies(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start("run", h.endless("waits"), "--reports", "runs")
	p.says("waits: step waits (await)")
	if err := syscall.Kill(h.component("kube-apiserver"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := p.wait()
	if got.code != verdict.ExitErrored || !strings.Contains(got.stderr, "died: kube-apiserver ended: signal: killed") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	logs, err := filepath.Glob(filepath.Join(runFolder(t, filepath.Join(h.dir, "runs")), "waits", "logs", "*.log"))
	if err != nil || len(logs) < 4 {
		t.Errorf("logs: %v, %v", logs, err)
	}
	if strings.Contains(got.stderr, "failed:") {
		t.Errorf("something failed:\n%s", got.stderr)
	}
}

// TestKilled: rehearse gc removes what a killed run left on a cluster that outlives it, and leaves the cluster alone.
func TestKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	up := h.want(0, "cluster", "up", "--nodes", "1")
	kubeconfig := strings.TrimPrefix(strings.TrimSpace(up.stdout), "export KUBECONFIG=")
	before := everything(t, kubeconfig)
	p := h.start("run", h.endless("waits"), "--cluster", "rehearse", "--reports", "runs")
	p.says("waits: step waits (await)")
	p.signal(syscall.SIGKILL)
	p.wait()
	if got := h.want(0, "gc", "--dry-run"); !strings.Contains(got.stdout, "would remove namespace rehearse.rh-waits-") {
		t.Errorf("a dry run tells: %s", got.stdout)
	}
	got := h.want(0, "gc")
	if !strings.Contains(got.stdout, "removed 1, failed 0, in use 1") {
		t.Errorf("gc tells: %s", got.stdout)
	}
	if after := everything(t, kubeconfig); !slices.Equal(before, after) {
		t.Errorf("the cluster held %v, and now %v", before, after)
	}
	judged := h.want(verdict.ExitInconclusive, "judge", runFolder(t, filepath.Join(h.dir, "runs")))
	if !strings.Contains(judged.stderr, "killed") {
		t.Errorf("judged: %s", judged.stderr)
	}
	h.want(0, "cluster", "down")
}

// TestClusterUpEnds: however cluster up ends midway, nothing is left but what can be listed and taken down.
func TestClusterUpEnds(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	interrupted := h.start("cluster", "up", "--nodes", "1")
	interrupted.says("starting etcd")
	interrupted.signal(syscall.SIGINT)
	if got := interrupted.wait(); got.code != verdict.ExitInterrupted {
		t.Errorf("interrupted: exit code %d\n%s", got.code, got.stderr)
	}
	if left := h.records(); len(left) > 0 {
		t.Errorf("an interrupted cluster up left %v", left)
	}

	// Killed, it leaves a cluster that goes on to boot, and that the next command finds.
	killed := h.start("cluster", "up", "--nodes", "1")
	killed.says("starting etcd")
	killed.signal(syscall.SIGKILL)
	killed.wait()
	h.want(0, "cluster", "down")

	// Its keeper killed, cluster up fails, and gc removes the rest.
	orphaned := h.start("cluster", "up", "--nodes", "1")
	orphaned.says("starting etcd")
	if err := syscall.Kill(h.cluster().Owner.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := orphaned.wait(); got.code != verdict.ExitErrored || !strings.Contains(got.stderr, "it ended before the cluster was ready") {
		t.Errorf("orphaned: exit code %d\n%s", got.code, got.stderr)
	}
	h.want(0, "gc")
}
