package embedded

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/eventually"
)

// What the tests ask of the clusters of a provider's journal.
type (
	// Info is what may be known of a cluster.
	Info = kept.Info
)

var ErrUnknown, ErrNotReady = kept.ErrUnknown, kept.ErrNotReady

const Ready, Broken, Dead = kept.Ready, kept.Broken, kept.Dead

func (p *Provider) List() ([]Info, error)          { return kept.List(p.stateRoot) }
func (p *Provider) find(name string) (Info, error) { return kept.Find(p.stateRoot, name) }

func (p *Provider) Down(ctx context.Context, name string) error {
	return kept.Down(ctx, p.stateRoot, name, journal.Undo{Kind: journal.KindCluster, Remove: Undo})
}

func (p *Provider) Attach(name string) (cluster.Cluster, error) {
	info, err := kept.Usable(p.stateRoot, name)
	if err != nil {
		return nil, err
	}
	return p.AttachTo(info)
}

func itoa(n int) string { return strconv.Itoa(n) }

// spawn runs a keeper of the test binary, as rehearse cluster up runs one of the program.
func spawn(t *testing.T, ctx context.Context, p *Provider, name string) (Info, error) {
	t.Helper()
	t.Cleanup(func() { // in case that the test fails
		if err := p.Down(context.Background(), name); err != nil && !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
	cmd := helper(t, "keep", p.stateRoot, name)
	return kept.Spawn(ctx, []string{"/usr/bin/env", cmd.Env[len(cmd.Env)-1], EnvKubeBinary + "=" + p.kube, cmd.Path}, func(phase string) { t.Log(phase) })
}

// pids returns the processes that the journal knows of a cluster.
func pids(t *testing.T, p *Provider, name string) map[string]int {
	t.Helper()
	j, err := journal.Open(p.stateRoot)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Get(journal.KindCluster, name)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{"keeper": r.Owner.PID}
	for _, component := range []string{etcd, apiserver, controllerManager, scheduler} {
		process, err := journal.ParseProcess(r.Data[dataProcess+component], r.Owner)
		if err != nil {
			t.Fatal(err)
		}
		all[component] = process.PID
	}
	return all
}

// TestKeep keeps a cluster, attaches to it, and takes it down.
func TestKeep(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	info, err := spawn(t, t.Context(), p, "day")
	if err != nil {
		t.Fatal(err)
	}
	running := pids(t, p, "day")
	list, err := p.List()
	if err != nil || len(list) != 1 || list[0].PID != info.PID || info.State != Ready || !info.Kept || info.Nodes != 1 || info.PID != running["keeper"] {
		t.Errorf("listed: %+v, %v; spawned: %+v", list, err, info)
	}
	c, err := p.Attach("day")
	if err != nil {
		t.Fatal(err)
	}
	died := c.(cluster.Mortal).Cause
	if cause := died(); cause != nil {
		t.Errorf("it died although it lives: %v", cause)
	}
	if err := c.Delete(t.Context()); err != nil {
		t.Error(err)
	}
	// It is still there.
	if err := c.CollectLogs(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := p.Attach("night"); !errors.Is(err, ErrUnknown) {
		t.Errorf("attach to a cluster that is not: %v", err)
	}
	if err := syscall.Kill(running[scheduler], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the cluster is listed as broken", func() bool {
		info, err := p.find("day")
		return err == nil && info.State == Broken && info.Cause != ""
	})
	if _, err := p.Attach("day"); !errors.Is(err, ErrNotReady) {
		t.Errorf("attach to a broken cluster: %v", err)
	}
	if cause := died(); cause == nil || !strings.Contains(cause.Error(), scheduler) {
		t.Errorf("it died of %v, want the scheduler's end", cause)
	}
	if err := p.Down(t.Context(), "day"); err != nil {
		t.Fatal(err)
	}
	if cause := died(); !errors.Is(cause, ErrUnknown) {
		t.Errorf("it died of %v, want that it was taken down", cause)
	}
	checkGone(t, running, info.Dir)
	checkNothingLeft(t, p)
}

// TestKilled kills the process that a cluster lives with, and one component is stopped so that it cannot end by itself.
func TestKilled(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	info, err := spawn(t, t.Context(), p, "killed")
	if err != nil {
		t.Fatal(err)
	}
	running := pids(t, p, "killed")
	stopped := running[controllerManager]
	if err := errors.Join(syscall.Kill(stopped, syscall.SIGSTOP), syscall.Kill(info.PID, syscall.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	for name, pid := range running {
		if pid != stopped {
			eventually.Holds(t, name+" has ended with the keeper", func() bool {
				_, err := journal.Lookup(pid)
				return errors.Is(err, syscall.ESRCH)
			})
		}
	}
	if dead, err := p.find("killed"); err != nil || dead.State != Dead {
		t.Errorf("listed: %+v, %v", dead, err)
	}
	j, err := journal.Open(p.stateRoot)
	if err != nil {
		t.Fatal(err)
	}
	report, err := j.Collect(t.Context(), []journal.Undo{{Kind: journal.KindCluster, Remove: Undo}}, journal.CollectOptions{DryRun: true})
	if err != nil || len(report.Removed) != 1 {
		t.Errorf("dry run: %+v, %v", report, err)
	}
	if _, err := os.Stat(info.Dir); err != nil {
		t.Errorf("a dry run removes: %v", err)
	}
	report, err = j.Collect(t.Context(), []journal.Undo{{Kind: journal.KindCluster, Remove: Undo}}, journal.CollectOptions{})
	if err != nil || len(report.Removed) != 1 || len(report.Failed) != 0 {
		t.Errorf("gc: %+v, %v", report, err)
	}
	checkGone(t, running, info.Dir)
	checkNothingLeft(t, p)
}

// TestSpawnInterrupted interrupts a spawn before the cluster is ready.
func TestSpawnInterrupted(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	eventually.Do(ctx, func() bool { all, err := p.List(); return err == nil && len(all) > 0 }, cancel)
	if _, err := spawn(t, ctx, p, "hasty"); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	checkNothingLeft(t, p)
}
