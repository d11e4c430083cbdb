package kind

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"rehearse.dev/rehearse/harness/cluster"
)

var _ cluster.Mortal = (*Cluster)(nil)

// deaths notices when a node ends that nobody asked to end.
type deaths struct {
	// died is closed then; cause, valid from then on, says which.
	died  chan struct{}
	cause error
	once  sync.Once

	// dir holds a file for each node that was killed on purpose, be it by another process.
	dir string

	stop    context.CancelFunc
	watcher sync.WaitGroup
}

// killedSuffix ends the name of a node's file.
const killedSuffix = ".killed"

// Died is closed when a node ends that nobody asked to end. Cause then says which.
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

// expect notes whether a node is to run from now on: its end is then no surprise, in whichever process that is seen.
func (d *deaths) expect(node string, running bool) error {
	path := filepath.Join(d.dir, node+killedSuffix)
	if !running {
		return os.WriteFile(path, nil, 0o600)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *deaths) expected(node string) bool {
	_, err := os.Stat(filepath.Join(d.dir, node+killedSuffix))
	return err == nil
}

// watch reads the engine's events until the cluster is deleted. If this process is killed, the command that prints them
// ends with the next one, as there is nobody to read it: at the latest when the nodes are collected.
func (c *Cluster) watch(ctx context.Context) error {
	lifetime, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := c.engine.command(lifetime, c.engine.deathEvents(c.name)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return fmt.Errorf("watch the nodes: %w", err)
	}
	c.stop = cancel
	c.watcher.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if node := lines.Text(); lifetime.Err() == nil && !c.expected(node) {
				c.once.Do(func() {
					c.cause = fmt.Errorf("node %s ended although nobody asked it to", node)
					close(c.died)
				})
			}
		}
		_ = cmd.Wait() // killed, as a rule
	})
	return nil
}

// stopWatching ends it: from now on nodes end because we want them to.
func (d *deaths) stopWatching() {
	if d.stop != nil {
		d.stop()
	}
	d.watcher.Wait()
}

// deathEvents is the command that prints the names of a cluster's nodes as they end.
func (e engine) deathEvents(cluster string) []string {
	event, name := "die", "{{.Actor.Attributes.name}}"
	if e.binary == "podman" {
		event, name = "died", "{{.Name}}"
	}
	return []string{"events", "--filter", "label=" + clusterLabel + "=" + cluster, "--filter", "event=" + event, "--format", name}
}
