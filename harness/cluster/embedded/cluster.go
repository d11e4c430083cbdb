package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/lifeline"
)

// Cluster is a running embedded cluster.
type Cluster struct {
	name    string
	dir     string
	kube    string
	version string
	config  *rest.Config
	entry   *journal.Entry

	line         lifeline.Line
	stopKubelets context.CancelFunc
	kubeletLog   *os.File

	mu        sync.Mutex // guards the processes, and the journal's entry once the cluster has booted
	processes []*process

	// ending is closed when Delete begins: from then on components end because we want them to.
	ending chan struct{}
	// died is closed when one ends that nobody asked to; cause, valid from then on, says which.
	died     chan struct{}
	dieOnce  sync.Once
	cause    error
	watchers sync.WaitGroup

	deleting sync.Mutex
	deleted  bool
}

var _ cluster.Mortal = (*Cluster)(nil)

// Name is unique on this machine.
func (c *Cluster) Name() string { return c.name }

// RESTConfig returns a new client configuration with administrator rights and no rate limit of the client's own.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// KubeconfigPath is a kubeconfig file of administrator rights.
func (c *Cluster) KubeconfigPath() string { return filepath.Join(c.dir, kubeconfigFile) }

// CacheDir is a folder for discovery caches, this cluster's alone.
func (c *Cluster) CacheDir() string { return cachePath(c.dir) }

// Version is the Kubernetes version, for example v1.36.3.
func (c *Cluster) Version() string { return c.version }

// PIDs returns the components' process numbers by name.
func (c *Cluster) PIDs() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := map[string]int{}
	for _, p := range c.processes {
		pids[p.name] = p.cmd.Process.Pid
	}
	return pids
}

// Died is closed when a component ends that nobody asked to end. Cause then says which, and why.
func (c *Cluster) Died() <-chan struct{} { return c.died }

// Cause is why the cluster died; nil while it lives.
func (c *Cluster) Cause() error {
	select {
	case <-c.died:
		return c.cause
	default:
		return nil
	}
}

// CollectLogs copies the components' logs into dir.
func (c *Cluster) CollectLogs(ctx context.Context, dir string) error {
	return copyLogs(ctx, logsPath(c.dir), dir)
}

func copyLogs(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("collect logs: %w", context.Cause(ctx))
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("collect logs: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(from, "*.log"))
	if err != nil {
		return fmt.Errorf("collect logs: %w", err)
	}
	var errs []error
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(name)), content, 0o644)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("collect logs: %w", err)
	}
	return nil
}

// Delete ends the cluster and removes all that it made. It may be called again.
func (c *Cluster) Delete(ctx context.Context) error {
	c.deleting.Lock()
	defer c.deleting.Unlock()
	if c.deleted {
		return nil
	}
	select {
	case <-c.ending: // a second try
	default:
		close(c.ending)
	}
	err := c.stop(ctx)
	if err == nil { // what still runs needs its folder, and must stay in the journal
		err = c.remove()
	}
	if err != nil {
		return fmt.Errorf("delete embedded cluster %s: %w (rehearse gc will try again)", c.name, err)
	}
	c.deleted = true
	return nil
}

// stop ends all that runs.
func (c *Cluster) stop(ctx context.Context) error {
	if c.stopKubelets != nil {
		c.stopKubelets()
	}
	c.line.Close()
	if err := c.stopProcesses(ctx); err != nil {
		return err
	}
	c.watchers.Wait()
	return nil
}

func (c *Cluster) stopProcesses(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, p := range c.processes {
		errs = append(errs, p.kill())
	}
	for _, p := range c.processes {
		errs = append(errs, p.wait(ctx))
	}
	return errors.Join(errs...)
}

// remove removes the cluster's folder and then its journal record.
func (c *Cluster) remove() error {
	if c.kubeletLog != nil {
		_ = c.kubeletLog.Close()
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return err
	}
	return c.entry.Done()
}
