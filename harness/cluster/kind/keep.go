package kind

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

var _ kept.Keeper = (*Provider)(nil)

// Check says what is wrong with a spec before anything is made of it. It asks no engine.
func (p *Provider) Check(spec cluster.Spec) error {
	if err := validate(spec); err != nil {
		return err
	}
	_, err := settings{user: p.config, nodes: spec.Nodes}.images()
	return err
}

// Keep makes a cluster and keeps it until ctx ends, then deletes it.
func (p *Provider) Keep(ctx context.Context, spec cluster.Spec, ready func(kept.Info)) error {
	c, err := p.create(ctx, spec, map[string]string{kept.DataKept: "true"})
	if err != nil {
		return err
	}
	return kept.Hold(ctx, p.stateRoot, c, ready)
}

// NoteBroken writes down that a node has ended, and which.
func (c *Cluster) NoteBroken() error {
	return c.entry.Update(map[string]string{kept.DataState: string(kept.Broken), kept.DataCause: c.Cause().Error()})
}

// AttachTo returns a cluster that another process keeps. Its Delete does nothing.
func (p *Provider) AttachTo(ctx context.Context, info kept.Info) (cluster.Cluster, error) {
	c, err := p.join(ctx, info)
	if err != nil {
		return nil, fmt.Errorf("attach to kind cluster %s: %w", info.Name, err)
	}
	return &attached{Cluster: c, root: p.stateRoot}, nil
}

// join finds out what its maker knows of a cluster.
func (p *Provider) join(ctx context.Context, info kept.Info) (*Cluster, error) {
	j, err := journal.Open(p.stateRoot)
	if err != nil {
		return nil, err
	}
	record, err := j.Get(journal.KindCluster, info.Name)
	if err != nil {
		return nil, err
	}
	e, err := recordedEngine(record)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", info.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		name: info.Name, dir: info.Dir, version: info.Version, engine: e, config: config,
		network:  network{engine: e, name: record.Data[dataNetwork], cluster: info.Name, stateRoot: p.stateRoot},
		ownImage: record.Data[dataOwnImage] != "", deaths: deaths{died: make(chan struct{}), dir: info.Dir},
	}
	if err := c.count(ctx); err != nil {
		return nil, err
	}
	c.unlearnt = client
	return c, nil
}

// attached is a cluster that another process keeps.
type attached struct {
	*Cluster
	root string
}

// Delete does nothing: the process that keeps the cluster deletes it.
func (a *attached) Delete(context.Context) error { return nil }

// Died is nil: the process that keeps the cluster notices, and writes it down.
func (a *attached) Died() <-chan struct{} { return nil }

// Cause is what its process wrote down.
func (a *attached) Cause() error { return kept.Death(a.root, a.name) }
