package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

var (
	_ cluster.Interruptible = (*Cluster)(nil)
	_ cluster.Interruptible = (*attached)(nil)
)

// Files in a cluster's folder that tell the process which the cluster belongs to what is asked of a component. They name
// the component's process, so that no other end of it is taken for one that was asked for. See decision 0130.
const (
	downSuffix = ".down" // it is to stay down
	upSuffix   = ".up"   // it is to be started again; removed once it was
)

// orderPoll is how often it is looked for such a file, while a component is down only.
const orderPoll = 20 * time.Millisecond

// plane breaks and mends the components of a cluster, be it this process's or another's.
type plane struct {
	dir    string
	config *rest.Config
	// find says which process a component is now, or was last.
	find func(component string) (journal.Process, error)
}

func (c *Cluster) plane() plane {
	return plane{dir: c.dir, config: c.config, find: func(component string) (journal.Process, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, p := range c.processes {
			if p.name == component {
				return p.running, nil
			}
		}
		return journal.Process{}, fmt.Errorf("there is no %s", component)
	}}
}

// plane goes by the journal: its owner notes every process that it starts.
func (a *attached) plane() plane {
	return plane{dir: a.info.Dir, config: a.config, find: func(component string) (journal.Process, error) {
		j, err := journal.Open(a.provider.stateRoot)
		if err != nil {
			return journal.Process{}, err
		}
		r, err := j.Get(journal.KindCluster, a.info.Name)
		if err != nil {
			return journal.Process{}, err
		}
		return journal.ParseProcess(r.Data[dataProcess+component], r.Owner)
	}}
}

// PauseAPIServer freezes the API server's process.
func (c *Cluster) PauseAPIServer(ctx context.Context) error { return c.plane().freeze(ctx, apiserver) }

// ResumeAPIServer lets the API server go on.
func (c *Cluster) ResumeAPIServer(ctx context.Context) error { return c.plane().resume(ctx, apiserver) }

// KillAPIServer ends the API server, which Died does not take for a death.
func (c *Cluster) KillAPIServer(ctx context.Context) error { return c.plane().kill(ctx, apiserver) }

// StartAPIServer starts the API server as it was started before, at the same port.
func (c *Cluster) StartAPIServer(ctx context.Context) error { return c.plane().start(ctx, apiserver) }

// PauseEtcd freezes etcd's process.
func (c *Cluster) PauseEtcd(ctx context.Context) error { return c.plane().freeze(ctx, etcd) }

// ResumeEtcd lets etcd go on.
func (c *Cluster) ResumeEtcd(context.Context) error { return c.plane().thaw(etcd) }

func (a *attached) PauseAPIServer(ctx context.Context) error { return a.plane().freeze(ctx, apiserver) }

func (a *attached) ResumeAPIServer(ctx context.Context) error {
	return a.plane().resume(ctx, apiserver)
}

func (a *attached) KillAPIServer(ctx context.Context) error { return a.plane().kill(ctx, apiserver) }

func (a *attached) StartAPIServer(ctx context.Context) error { return a.plane().start(ctx, apiserver) }

func (a *attached) PauseEtcd(ctx context.Context) error { return a.plane().freeze(ctx, etcd) }

func (a *attached) ResumeEtcd(context.Context) error { return a.plane().thaw(etcd) }

func (p plane) freeze(ctx context.Context, component string) error {
	process, err := p.alive(component)
	if err == nil {
		err = noteOutage(p.dir, component)
	}
	if err == nil {
		err = process.Stop(ctx)
	}
	if err != nil {
		return fmt.Errorf("freeze %s: %w", component, err)
	}
	return nil
}

func (p plane) thaw(component string) error {
	process, err := p.alive(component)
	if err == nil {
		err = syscall.Kill(process.PID, syscall.SIGCONT)
	}
	if err == nil {
		err = endOutage(p.dir, component)
	}
	if err != nil {
		return fmt.Errorf("let %s go on: %w", component, err)
	}
	return nil
}

// alive finds a component that has not ended.
func (p plane) alive(component string) (journal.Process, error) {
	process, err := p.find(component)
	if err != nil {
		return process, err
	}
	state, err := process.State()
	if err == nil && state != journal.Alive {
		err = fmt.Errorf("its process %d is %s", process.PID, state)
	}
	return process, err
}

func (p plane) resume(ctx context.Context, component string) error {
	if err := p.thaw(component); err != nil {
		return err
	}
	return awaitStatus(ctx, p.config, "/readyz", isOK)
}

// kill writes down that the component is to stay down, and ends it.
func (p plane) kill(ctx context.Context, component string) error {
	process, err := p.find(component)
	if err == nil {
		err = noteOutage(p.dir, component)
	}
	if err == nil {
		err = p.order(component, process)
	}
	if err == nil {
		err = process.End(ctx)
	}
	if err != nil {
		return fmt.Errorf("kill %s: %w", component, err)
	}
	return nil
}

// order tells the cluster's owner that the process's end will be no death.
func (p plane) order(component string, process journal.Process) error {
	return writeWhole(filepath.Join(p.dir, component+downSuffix), []byte(process.Text()))
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// start has the cluster's owner start a component that was killed. A kill that was cut short is brought to its end first:
// whether it came that far cannot be seen for sure, as the owner may not have noticed yet.
func (p plane) start(ctx context.Context, component string) error {
	fail := func(err error) error { return fmt.Errorf("start %s: %w", component, err) }
	down, up := filepath.Join(p.dir, component+downSuffix), filepath.Join(p.dir, component+upSuffix)
	killed, err := p.find(component)
	if err != nil {
		return fail(err)
	}
	if ordered(down, killed) {
		if err := killed.End(ctx); err != nil {
			return fail(err)
		}
		if err := os.Rename(down, up); err != nil {
			return fail(err)
		}
	}
	if err := awaitFile(ctx, func() bool { return !exists(up) }); err != nil {
		return fail(fmt.Errorf("wait until the cluster's owner starts it: %w", err))
	}
	if err := awaitStatus(ctx, p.config, "/readyz", isOK); err != nil {
		return fail(err)
	}
	if err := endOutage(p.dir, component); err != nil {
		return fail(err)
	}
	return nil
}

// ordered reports whether the file is there and means this process.
func ordered(path string, process journal.Process) bool {
	content, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(content)) == process.Text()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// awaitFile looks at files until done.
func awaitFile(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(orderPoll)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
