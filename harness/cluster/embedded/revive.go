package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// revivePause is how long is waited between reviveTries.
const revivePause = 250 * time.Millisecond

// errEnding means that the cluster is being deleted.
var errEnding = errors.New("the cluster is being deleted")

// watch tells through Died when a component ends by itself, and starts those again that were killed on purpose.
func (c *Cluster) watch() {
	for _, p := range c.processes {
		c.watchers.Go(func() {
			if err := c.attend(p); !errors.Is(err, errEnding) {
				c.die(err)
			}
		})
	}
}

func (c *Cluster) die(cause error) {
	c.dieOnce.Do(func() {
		c.cause = cause
		close(c.died)
	})
}

// attend returns why a component ended, when it has for good.
func (c *Cluster) attend(p *process) error {
	ending, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	go func() {
		select {
		case <-c.ending:
			stop(errEnding)
		case <-ending.Done():
		}
	}()
	var past history
	for {
		<-p.ended
		if c.isEnding() {
			return errEnding
		}
		end := c.endOf(p)
		what := past.fate(end)
		if what == dies {
			return p.failure()
		}
		if err := c.prepare(ending, p, what, end.felt); err != nil {
			return err
		}
		var err error
		if p, err = c.revive(p); err != nil {
			return err
		}
	}
}

// prepare waits until a component that has ended may be started again.
func (c *Cluster) prepare(ctx context.Context, p *process, what fate, felt *outage) error {
	switch what {
	case awaits:
		up := filepath.Join(c.dir, p.name+upSuffix)
		return awaitFile(ctx, func() bool { return exists(up) })
	case retries:
		select {
		case <-time.After(revivePause):
			return nil
		case <-ctx.Done():
			return errEnding
		}
	}
	// Without an API server a component only ends again.
	away := func() bool { o := feltOutage(c.dir, time.Now()); return o != nil && o.Away }
	if err := awaitFile(ctx, func() bool { return !away() }); err != nil {
		return err
	}
	if err := noteRestart(c.dir, p, felt); err != nil {
		return fmt.Errorf("start %s again: %w", p.name, err)
	}
	return nil
}

func (c *Cluster) isEnding() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}

// revive starts a component again, as it was started before.
func (c *Cluster) revive(ended *process) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isEnding() { // from then on nobody would end it
		return nil, errEnding
	}
	c.processes = slices.DeleteFunc(c.processes, func(p *process) bool { return p == ended })
	p, err := c.launch(ended.name, ended.args)
	if err != nil {
		return nil, fmt.Errorf("start %s again: %w", ended.name, err)
	}
	if err := os.Remove(filepath.Join(c.dir, p.name+upSuffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("start %s again: %w", ended.name, err)
	}
	return p, nil
}

// launch starts a component and notes its process, for the case that the lifeline does not end it. The lock is held.
func (c *Cluster) launch(name string, args []string) (*process, error) {
	p, err := startProcess(c.kube, name, args, c.dir, c.line)
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	p.running, err = journal.Lookup(p.cmd.Process.Pid)
	if errors.Is(err, syscall.ESRCH) {
		<-p.ended
		return nil, p.failure()
	}
	if err != nil {
		return nil, err
	}
	return p, c.entry.Update(map[string]string{dataProcess + name: p.running.Text()})
}
