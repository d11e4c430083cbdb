package embedded

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// ErrNameTaken means that there is a cluster of that name.
var ErrNameTaken = errors.New("there is a cluster of this name")

var _ kept.Keeper = (*Provider)(nil)

// Check says what is wrong with a spec before anything is made of it.
func (p *Provider) Check(spec cluster.Spec) error { return validate(spec) }

// Keep makes a cluster and keeps it until ctx ends, then deletes it.
func (p *Provider) Keep(ctx context.Context, spec cluster.Spec, ready func(kept.Info)) error {
	c, err := p.create(ctx, spec, map[string]string{kept.DataKept: "true"})
	if err != nil {
		return err
	}
	return kept.Hold(ctx, p.stateRoot, c, ready)
}

// NoteBroken writes down that a component has ended, and which.
func (c *Cluster) NoteBroken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entry.Update(map[string]string{kept.DataState: string(kept.Broken), kept.DataCause: c.Cause().Error()})
}

// AttachTo returns a cluster that another process keeps. Its Delete does nothing.
func (p *Provider) AttachTo(info kept.Info) (cluster.Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", info.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", info.Name, err)
	}
	config.QPS = -1
	return &attached{provider: p, info: info, nodes: nodes{config}}, nil
}

// attached is a cluster that lives in another process.
type attached struct {
	provider *Provider
	info     kept.Info
	nodes
}

var _ cluster.Mortal = (*attached)(nil)

func (a *attached) Name() string                 { return a.info.Name }
func (a *attached) RESTConfig() *rest.Config     { return rest.CopyConfig(a.config) }
func (a *attached) KubeconfigPath() string       { return a.info.Kubeconfig }
func (a *attached) CacheDir() string             { return cachePath(a.info.Dir) }
func (a *attached) Version() string              { return a.info.Version }
func (a *attached) Delete(context.Context) error { return nil }

func (a *attached) CollectLogs(ctx context.Context, dir string) error {
	return copyLogs(ctx, logsPath(a.info.Dir), dir)
}

// Died is nil: the process that keeps the cluster notices, and writes it down.
func (a *attached) Died() <-chan struct{} { return nil }

// Cause is what its process wrote down.
func (a *attached) Cause() error { return kept.Death(a.provider.stateRoot, a.info.Name) }

// makeWay frees the name of a cluster if its process is gone.
func (p *Provider) makeWay(ctx context.Context, name string) error {
	info, err := kept.Find(p.stateRoot, name)
	if errors.Is(err, kept.ErrUnknown) {
		return nil // it has just gone
	}
	if err != nil {
		return err
	}
	if info.State != kept.Dead {
		return fmt.Errorf("%w: it is %s and belongs to process %d (rehearse cluster list)", ErrNameTaken, info.State, info.PID)
	}
	return kept.Reclaim(ctx, p.stateRoot, info, journal.Undo{Kind: journal.KindCluster, Remove: Undo})
}
