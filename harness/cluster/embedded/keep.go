package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Reasons why a cluster cannot be made, attached to, or taken down.
var (
	// ErrNameTaken means that there is a cluster of that name.
	ErrNameTaken = errors.New("there is a cluster of this name")
	// ErrUnknown means that there is no cluster of that name.
	ErrUnknown = errors.New("no such cluster")
	// ErrNotReady means that the cluster is there but cannot be used.
	ErrNotReady = errors.New("the cluster is not ready")
	// ErrBusy means that the cluster belongs to a run that still goes on.
	ErrBusy = errors.New("the cluster belongs to a run")
)

// Keep makes a cluster and keeps it until ctx ends, then deletes it. It calls ready once the cluster can be used. A
// component that ends by itself does not end it: the cluster is listed as broken, and its logs can be read.
func (p *Provider) Keep(ctx context.Context, spec cluster.Spec, ready func(Info)) error {
	c, err := p.create(ctx, spec, map[string]string{dataKept: "true"})
	if err != nil {
		return err
	}
	info, err := p.find(c.name)
	if err == nil {
		ready(info)
		select {
		case <-ctx.Done():
		case <-c.Died():
			err = c.noteBroken()
			<-ctx.Done()
		}
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	return errors.Join(err, c.Delete(cleanup))
}

func (c *Cluster) noteBroken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entry.Update(map[string]string{dataState: string(Broken), dataCause: c.Cause().Error()})
}

// find returns the cluster of a name.
func (p *Provider) find(name string) (Info, error) {
	all, err := p.List()
	var names []string
	for _, info := range all {
		if info.Name == name {
			return info, nil
		}
		names = append(names, info.Name)
	}
	if err != nil {
		return Info{}, err
	}
	if len(names) == 0 {
		return Info{}, fmt.Errorf("%w: %s (there is none; rehearse cluster up makes one)", ErrUnknown, name)
	}
	return Info{}, fmt.Errorf("%w: %s (there are: %s)", ErrUnknown, name, strings.Join(names, ", "))
}

// Attach returns a cluster that rehearse cluster up keeps, from the journal's default place.
func Attach(name string) (cluster.Cluster, error) { return New().Attach(name) }

// Attach returns a cluster that another process keeps. Its Delete does nothing.
func (p *Provider) Attach(name string) (cluster.Cluster, error) {
	info, err := p.find(name)
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	switch {
	case !info.Kept:
		return nil, fmt.Errorf("attach to %s: %w, process %d", name, ErrBusy, info.PID)
	case info.State != Ready:
		return nil, fmt.Errorf("attach to %s: %w but %s (rehearse cluster down %s removes it)", name, ErrNotReady, info.State, name)
	}
	config, err := clientcmd.BuildConfigFromFlags("", info.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", name, err)
	}
	config.QPS = -1
	return &attached{provider: p, info: info, config: config}, nil
}

// attached is a cluster that lives in another process.
type attached struct {
	provider *Provider
	info     Info
	config   *rest.Config
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

// Cause is what its process wrote down, or that the process or the cluster is gone.
func (a *attached) Cause() error {
	info, err := a.provider.find(a.info.Name)
	switch {
	case errors.Is(err, ErrUnknown):
		return err
	case err != nil:
		return nil // the journal cannot be read, which says nothing about the cluster
	case info.State == Broken:
		return errors.New(info.Cause)
	case info.State == Dead:
		return fmt.Errorf("process %d, which kept it, is gone", info.PID)
	}
	return nil
}

const (
	// downTimeout is how long the keeper of a cluster has to delete it before it is killed.
	downTimeout = 20 * time.Second
	// downPoll is how often it is looked whether it has; it is not our child, so there is nothing to wait on.
	downPoll = 50 * time.Millisecond
)

// Down deletes a kept cluster, or what a killed process left of one.
func (p *Provider) Down(ctx context.Context, name string) error {
	info, err := p.find(name)
	if err != nil {
		return fmt.Errorf("down: %w", err)
	}
	switch {
	case info.State == Foreign:
		return fmt.Errorf("down %s: it belongs to another machine or container: %s", name, info.owner.Host)
	case info.State != Dead && !info.Kept:
		return fmt.Errorf("down %s: %w, process %d (end that; its clusters end with it)", name, ErrBusy, info.PID)
	}
	if err := endKeeper(ctx, info.owner); err != nil {
		return fmt.Errorf("down %s: %w", name, err)
	}
	// A keeper that ended in good order has left nothing.
	if err := p.reclaim(ctx, info); err != nil {
		return fmt.Errorf("down %s: %w", name, err)
	}
	return nil
}

// reclaim removes what a process that is gone left of a cluster.
func (p *Provider) reclaim(ctx context.Context, info Info) error {
	j, err := journal.Open(p.stateRoot)
	if err != nil {
		return err
	}
	report, err := j.Collect(ctx, []journal.Undo{{Kind: journal.KindCluster, Remove: Undo}}, journal.CollectOptions{Only: func(r journal.Record) bool {
		return isOurs(r) && r.ID == info.Name && r.Owner == info.owner
	}})
	for _, failed := range report.Failed {
		err = errors.Join(err, failed.Err)
	}
	return err
}

// makeWay frees the name of a cluster if its process is gone.
func (p *Provider) makeWay(ctx context.Context, name string) error {
	info, err := p.find(name)
	if errors.Is(err, ErrUnknown) {
		return nil // it has just gone
	}
	if err != nil {
		return err
	}
	if info.State != Dead {
		return fmt.Errorf("%w: it is %s and belongs to process %d (rehearse cluster list)", ErrNameTaken, info.State, info.PID)
	}
	return p.reclaim(ctx, info)
}

// endKeeper asks the process to end, and kills it if it takes too long.
func endKeeper(ctx context.Context, keeper journal.Process) error {
	if state, err := keeper.State(); err != nil || state != journal.Alive {
		return err
	}
	if err := syscall.Kill(keeper.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end its keeper, process %d: %w", keeper.PID, err)
	}
	ticker := time.NewTicker(downPoll)
	defer ticker.Stop()
	patience := time.NewTimer(downTimeout)
	defer patience.Stop()
	for {
		if state, err := keeper.State(); err != nil || state != journal.Alive {
			return err
		}
		select {
		case <-ticker.C:
		case <-patience.C:
			return keeper.End(ctx)
		case <-ctx.Done():
			return fmt.Errorf("wait for its keeper, process %d: %w", keeper.PID, context.Cause(ctx))
		}
	}
}
