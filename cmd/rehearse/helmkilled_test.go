package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/eventually"
)

// foreignHelm is a helm that is not ours. It waits for a process of its own, as one with a plugin does.
const foreignHelm = "#!/bin/sh\ncase $1 in version) echo v4.1.0;; *) sleep 600 & wait;; esac\n"

// TestKilledWhileHelmRuns: the harness is killed on a cluster that outlives it while a helm command runs, ours or another's.
// Helm ends with it or, where the guard that sees to that is killed too, with rehearse gc, which also removes its home.
func TestKilledWhileHelmRuns(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Want(0, "cluster", "up", "--nodes", "1")
	t.Cleanup(func() { h.Want(0, "cluster", "down") })
	if err := os.Chmod(h.Write("helm", foreignHelm), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, helm := range map[string]string{"own": "", "foreign": ", helm: {path: helm}"} {
		path := h.Scenario(name, `
  release: {name: shop, chart: charts/shop, driver: cli`+helm+`, values: {migration: {enabled: false}}}
  readiness: [{workload: StatefulSet/db, never: true}]
  timeouts: {step: 10m}
  steps: [{name: v1, install: {timeout: 10m}}]
`)
		for _, guarded := range []bool{true, false} {
			if helm == "" && !guarded {
				continue // ours may end by itself: the gateway is gone with the harness
			}
			t.Run(name+" guarded="+strconv.FormatBool(guarded), func(t *testing.T) { h.in(t).killBesideHelm(path, guarded) })
		}
	}
}

// killBesideHelm runs a scenario and kills the program while helm runs, and first, unless it is to be guarded, helm's guard.
func (h *home) killBesideHelm(path string, guarded bool) {
	h.T.Helper()
	if _, err := os.Stat("/proc/self"); err != nil && !guarded {
		h.T.Skip("the guard cannot be found: there is no /proc")
	}
	p := h.Start("run", path, "--cluster", "rehearse", "--reports", h.T.TempDir())
	var helm journal.Process
	h.eventually("helm is noted", func() bool {
		var found bool
		helm, found = h.helmOf(p)
		return found
	})
	if !guarded {
		h.killGuard(helm.PID)
	}
	p.Signal(syscall.SIGKILL)
	if got := p.Wait(); got.Code != -1 {
		h.T.Errorf("it had ended before it was killed: exit code %d\n%s", got.Code, got.Stderr)
	}
	if guarded {
		h.eventually("helm and all that it started are gone", func() bool { return groupGone(helm.PID) })
	} else if state, err := helm.State(); err != nil || state != journal.Alive {
		h.T.Errorf("helm is %s without its guard, %v", state, err)
	}
	homeOfHelm := ""
	for _, r := range h.Records() {
		if r.Kind == journal.KindDir {
			homeOfHelm = r.Data[journal.DataPath]
		}
	}
	if _, err := os.Stat(filepath.Join(homeOfHelm, "kubeconfig")); homeOfHelm == "" || err != nil {
		h.T.Errorf("the home of helm is %q, %v", homeOfHelm, err)
	}
	h.Want(0, "gc")
	h.eventually("helm and all that it started are gone", func() bool { return groupGone(helm.PID) })
	if _, err := os.Stat(homeOfHelm); !errors.Is(err, os.ErrNotExist) {
		h.T.Errorf("%s is still there: %v", homeOfHelm, err)
	}
	for _, r := range h.Records() {
		if r.Kind != journal.KindCluster {
			h.T.Errorf("left in the journal: %s %s %v", r.Kind, r.ID, r.Data)
		}
	}
}

// helmOf is the helm process that the journal knows of a program's.
func (h *home) helmOf(p *hometest.Program) (journal.Process, bool) {
	for _, r := range h.Records() {
		if r.Kind != journal.KindProcess || r.Owner.PID != p.Cmd.Process.Pid {
			continue
		}
		if helm, err := journal.ParseProcess(r.Data[journal.DataProcess], r.Owner); err == nil {
			return helm, true
		}
	}
	return journal.Process{}, false
}

// eventually waits until something holds that cannot be watched.
func (h *home) eventually(what string, ok func() bool) {
	h.T.Helper()
	if !eventually.Within(hometest.Patience, ok) {
		h.T.Fatalf("not within %s: %s", hometest.Patience, what)
	}
}

// killGuard kills the guard of a process group, which is a child of its leader. The leader has the guard's command line
// itself until it becomes helm, and so has the guard's own child until it waits.
func (h *home) killGuard(group int) {
	h.T.Helper()
	h.eventually("helm's guard is killed", func() bool {
		members, err := membersOf(group)
		if err != nil {
			h.T.Fatal(err)
		}
		if strings.Contains(members[group], guardMark) {
			return false
		}
		for pid, command := range members {
			if strings.Contains(command, guardMark) && parentOf(pid) == group {
				return syscall.Kill(pid, syscall.SIGKILL) == nil
			}
		}
		return false
	})
}

// guardMark is what the command line of a guard has.
const guardMark = "kill -9 0"

// parentOf is the parent of a process; 0 if that cannot be told.
func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // a name may have spaces in it
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// groupGone reports whether no process of a group is left.
func groupGone(group int) bool {
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return true
	}
	members, err := membersOf(group) // those that have ended and are nobody's to wait for are none
	return err == nil && len(members) == 0
}

// membersOf are the command lines of a group's processes, as far as the system tells.
func membersOf(group int) (map[int]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	members := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if in, err := syscall.Getpgid(pid); err != nil || in != group {
			continue
		}
		command, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && len(command) > 0 {
			members[pid] = string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))
		}
	}
	return members, nil
}
