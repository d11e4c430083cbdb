package kept

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Reasons why a cluster cannot be attached to, or taken down.
var (
	// ErrUnknown means that there is no cluster of that name.
	ErrUnknown = errors.New("no such cluster")
	// ErrNotReady means that the cluster is there but cannot be used.
	ErrNotReady = errors.New("the cluster is not ready")
	// ErrBusy means that the cluster belongs to a run that still goes on.
	ErrBusy = errors.New("the cluster belongs to a run")
)

// Keeper is a provider whose clusters can outlive the command that asked for them.
type Keeper interface {
	// Check says what is wrong with a spec before anything is made of it.
	Check(spec cluster.Spec) error
	// Keep makes a cluster and keeps it until ctx ends, then deletes it; see Hold.
	Keep(ctx context.Context, spec cluster.Spec, ready func(Info)) error
}

// Cluster is what can be kept.
type Cluster interface {
	cluster.Mortal
	// NoteBroken writes down that it has died, and of what.
	NoteBroken() error
}

// deleteTimeout is how long a kept cluster may take to be deleted.
const deleteTimeout = time.Minute

// Hold keeps a cluster until ctx ends, then deletes it. It calls ready with what others may know of it. A component that
// ends by itself does not end the cluster: it is listed as broken, and its logs can be read.
func Hold(ctx context.Context, root string, c Cluster, ready func(Info)) error {
	info, err := Find(root, c.Name())
	if err == nil {
		ready(info)
		select {
		case <-ctx.Done():
		case <-c.Died():
			err = c.NoteBroken()
			<-ctx.Done()
		}
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	return errors.Join(err, c.Delete(cleanup))
}

// Find returns the cluster of a name.
func Find(root, name string) (Info, error) {
	all, err := List(root)
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

// Usable returns the kept cluster of a name, if it can be attached to.
func Usable(root, name string) (Info, error) {
	info, err := Find(root, name)
	switch {
	case err != nil:
		return info, fmt.Errorf("attach: %w", err)
	case !info.Kept:
		return info, fmt.Errorf("attach to %s: %w, process %d", name, ErrBusy, info.PID)
	case info.State != Ready:
		return info, fmt.Errorf("attach to %s: %w but %s (rehearse cluster down %s removes it)", name, ErrNotReady, info.State, name)
	}
	return info, nil
}

// Death is why a kept cluster died, as its process wrote down, or that the process or the cluster is gone; nil while it
// lives.
func Death(root, name string) error {
	info, err := Find(root, name)
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

// Down deletes a kept cluster, or what a killed process left of one. undo is how such leftovers are removed.
func Down(ctx context.Context, root, name string, undo journal.Undo) error {
	info, err := Find(root, name)
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
	if err := Reclaim(ctx, root, info, undo); err != nil {
		return fmt.Errorf("down %s: %w", name, err)
	}
	return nil
}

// Reclaim removes what a process that is gone left of a cluster.
func Reclaim(ctx context.Context, root string, info Info, undo journal.Undo) error {
	j, err := journal.Open(root)
	if err != nil {
		return err
	}
	report, err := j.Collect(ctx, []journal.Undo{undo}, journal.CollectOptions{Only: func(r journal.Record) bool {
		return r.Kind == journal.KindCluster && r.ID == info.Name && r.Owner == info.owner
	}})
	for _, failed := range report.Failed {
		err = errors.Join(err, failed.Err)
	}
	return err
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
