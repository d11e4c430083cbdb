package kind

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	kinderrors "sigs.k8s.io/kind/pkg/errors"
	"sigs.k8s.io/kind/pkg/log"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Cluster is a running kind cluster.
type Cluster struct {
	name     string
	dir      string
	version  string
	engine   engine
	network  network
	config   *rest.Config
	entry    *journal.Entry
	counting sync.Mutex // guards what follows, up to services
	// members are the node containers.
	members []string
	// proxied is set if kube-proxy runs on the nodes, as learn finds out.
	proxied bool
	// ranges are the nodes' pod addresses, where connect is to route between them.
	ranges map[string][]string
	// services are the addresses of Services, where connect is to keep them within the nodes.
	services []string
	// ownImage is set if nodes run an image of ours.
	ownImage bool
	// unlearnt is set on a cluster that was joined, of which both are yet to be learnt: it is joined to mend its API server too.
	unlearnt kubernetes.Interface
	learning sync.Mutex
	// creating is kind's call that makes the nodes, which may go on after it was given up.
	creating *pending

	resizing sync.Mutex
	deleting sync.Mutex
	deleted  bool
	deaths
}

var _ cluster.Cluster = (*Cluster)(nil)

func logsPath(dir string) string   { return filepath.Join(dir, "logs") }
func cachePath(dir string) string  { return filepath.Join(dir, "cache") }
func imagesPath(dir string) string { return filepath.Join(dir, "images") }

// Name is unique on this machine.
func (c *Cluster) Name() string { return c.name }

// RESTConfig returns a new client configuration with administrator rights and no rate limit of the client's own.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// KubeconfigPath is a kubeconfig file of administrator rights, in the cluster's own folder.
func (c *Cluster) KubeconfigPath() string { return filepath.Join(c.dir, "kubeconfig") }

// CacheDir is a folder for discovery caches, this cluster's alone.
func (c *Cluster) CacheDir() string { return cachePath(c.dir) }

// Version is the Kubernetes version, for example v1.36.3.
func (c *Cluster) Version() string { return c.version }

// Nodes are the names of the nodes, which are those of their containers.
func (c *Cluster) Nodes() []string {
	c.counting.Lock()
	defer c.counting.Unlock()
	return slices.Clone(c.members)
}

// count finds out which nodes there are.
func (c *Cluster) count(ctx context.Context) error {
	names, err := c.engine.nodes(ctx, c.name)
	if err != nil {
		return err
	}
	c.counting.Lock()
	defer c.counting.Unlock()
	c.members = names
	return nil
}

// CollectLogs writes kind's own log, the nodes' journals, and the logs of all pods into dir. A node that is paused or
// does not run has only its container's log.
func (c *Cluster) CollectLogs(ctx context.Context, dir string) error {
	provider := c.engine.provider(log.NoopLogger{})
	err := call(ctx, "collect logs", func() error { return tolerate(provider.CollectLogs(c.name, dir)) })
	return errors.Join(err, copyFile(filepath.Join(logsPath(c.dir), "kind.log"), filepath.Join(dir, "kind.log")))
}

// tolerate drops what cannot be helped from the errors that kind met while it collected logs.
func tolerate(err error) error {
	all := kinderrors.Errors(err)
	if len(all) == 0 && err != nil {
		all = []error{err}
	}
	var left []error
	for _, e := range all {
		if nested := kinderrors.Errors(e); len(nested) > 0 {
			left = append(left, tolerate(e))
			continue
		}
		if !helpless(e) {
			left = append(left, e)
		}
	}
	return errors.Join(left...)
}

// helpless tells whether a command failed because a node is paused or dead, or because our node image has no crictl.
func helpless(err error) bool {
	failed := failedCommand(err)
	if failed == nil {
		return false
	}
	out := string(failed.Output)
	for _, arg := range failed.Command {
		if arg == "crictl" {
			return true
		}
	}
	return strings.Contains(out, "is paused") || strings.Contains(out, "is not running") || strings.Contains(out, "not running")
}

// Delete ends the cluster and removes all that it made. It may be called again.
func (c *Cluster) Delete(ctx context.Context) error {
	c.resizing.Lock() // a node that is being added must not come after its cluster has gone
	defer c.resizing.Unlock()
	c.deleting.Lock()
	defer c.deleting.Unlock()
	if c.deleted {
		return nil
	}
	c.stopWatching()
	if err := c.remove(ctx); err != nil {
		return fmt.Errorf("delete kind cluster %s: %w (rehearse gc will try again)", c.name, err)
	}
	c.deleted = true
	return nil
}

// remove removes nodes, network and folder, then the journal record.
func (c *Cluster) remove(ctx context.Context) error {
	var err error
	if c.creating == nil {
		err = c.engine.removeNodes(ctx, c.name)
	} else {
		err = c.engine.removeUntil(ctx, c.name, c.creating)
	}
	if err == nil {
		err = c.network.remove(ctx)
	}
	if err == nil {
		err = journal.RemoveDir(c.dir)
	}
	if err == nil {
		err = c.entry.Done()
	}
	return err
}
