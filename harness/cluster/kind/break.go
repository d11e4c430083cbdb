package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"rehearse.dev/rehearse/harness/cluster"
)

// ErrNoNode means that the cluster has no node of that name.
var ErrNoNode = errors.New("no such node")

var _ cluster.Breakable = (*Cluster)(nil)

// PauseNode freezes all that runs on a node, its kubelet included, until ResumeNode. One that is paused stays so.
func (c *Cluster) PauseNode(ctx context.Context, node string) error {
	return c.change(ctx, node, change{verb: "pause", from: "running", to: "paused"})
}

// ResumeNode lets a paused node go on.
func (c *Cluster) ResumeNode(ctx context.Context, node string) error {
	return c.change(ctx, node, change{verb: "unpause", from: "paused", to: "running"})
}

// KillNode ends a node at once, as a power cut would, until StartNode.
func (c *Cluster) KillNode(ctx context.Context, node string) error {
	return c.change(ctx, node, change{verb: "kill", from: "running", to: "exited"})
}

// StartNode starts a node that was killed. Its pods start anew once its kubelet is there.
func (c *Cluster) StartNode(ctx context.Context, node string) error {
	if err := c.change(ctx, node, change{verb: "start", from: "exited", to: "running"}); err != nil {
		return err
	}
	if err := c.catchUp(ctx); err != nil {
		return err
	}
	return c.connect(ctx)
}

// change is a change of a node container's state.
type change struct{ verb, from, to string }

// change changes a node's state, unless it has been changed already.
func (c *Cluster) change(ctx context.Context, node string, ch change) error {
	fail := func(err error) error {
		return fmt.Errorf("%s node %s of kind cluster %s: %w", ch.verb, node, c.name, err)
	}
	if err := c.has(node); err != nil {
		return fail(err)
	}
	state, err := c.stateOf(ctx, node)
	switch {
	case err != nil:
		return fail(err)
	case state == ch.to:
		return nil
	case state != ch.from:
		return fail(fmt.Errorf("it is %s, and must be %s", state, ch.from))
	}
	if err := c.expect(node, ch.to != "exited"); err != nil {
		return fail(err)
	}
	if err := c.tryUntilFrozen(ctx, ch.verb, node); err != nil {
		return fail(err)
	}
	if err := c.awaitState(ctx, node, ch.to); err != nil {
		return fail(err)
	}
	return nil
}

// stateOf returns the state of a node's container, in the words of its engine.
func (c *Cluster) stateOf(ctx context.Context, node string) (string, error) {
	return c.engine.run(ctx, "inspect", "--format", "{{.State.Status}}", node)
}

// How often a node's state is looked at that was changed, and for how long.
const (
	stateEvery = 50 * time.Millisecond
	stateTime  = 20 * time.Second
)

// awaitState waits until a node is in a state. podman kill returns before: a node that is started at once would be taken for
// one that runs.
func (c *Cluster) awaitState(ctx context.Context, node, want string) error {
	var state string
	err := wait.PollUntilContextTimeout(ctx, stateEvery, stateTime, true, func(ctx context.Context) (bool, error) {
		now, err := c.stateOf(ctx, node)
		if ctx.Err() != nil { // the engine was stopped in the middle of its answer, whose error says nothing
			return false, nil
		}
		state = now
		return state == want, err
	})
	if wait.Interrupted(err) {
		return fmt.Errorf("it is %s, and should have become %s: %w", state, want, err)
	}
	return err
}

// How often a node is tried to be frozen that did not let itself be, and how long each try waits for the last one.
const (
	freezes      = 10
	freezesEvery = 300 * time.Millisecond
)

// tryUntilFrozen has the engine do it. On a busy host with cgroup v1 the runtime gives up freezing a node whose processes
// fork all the time ("unable to freeze"), and thaws it again; the next try is likely to do it.
func (c *Cluster) tryUntilFrozen(ctx context.Context, verb, node string) error {
	var last error
	tries := wait.Backoff{Duration: freezesEvery, Factor: 1, Steps: freezes}
	err := wait.ExponentialBackoffWithContext(ctx, tries, func(ctx context.Context) (bool, error) {
		_, last = c.engine.run(ctx, verb, node)
		if last != nil && !strings.Contains(last.Error(), "unable to freeze") {
			return false, last
		}
		return last == nil, nil
	})
	return cmp.Or(last, err)
}

// has returns an error if the cluster has no such node.
func (c *Cluster) has(node string) error {
	if all := c.Nodes(); !slices.Contains(all, node) {
		return fmt.Errorf("%w: %q (there are: %s)", ErrNoNode, node, strings.Join(all, ", "))
	}
	return nil
}

// CrashContainer ends a running container of a pod at once; the kubelet will restart it.
func (c *Cluster) CrashContainer(ctx context.Context, ref cluster.ContainerRef) error {
	fail := func(err error) error {
		return fmt.Errorf("crash container %s of pod %s/%s: %w", ref.Container, ref.Namespace, ref.Pod, err)
	}
	if err := c.has(ref.Node); err != nil {
		return fail(err)
	}
	id, ok := strings.CutPrefix(ref.ID, "containerd://")
	if !ok || id == "" {
		return fail(fmt.Errorf("%q is no ID of a containerd container: has it started?", ref.ID))
	}
	if _, err := c.engine.run(ctx, "exec", ref.Node, "ctr", "--namespace=k8s.io", "task", "kill", "--signal", "SIGKILL", id); err != nil {
		if endedByItself(err) {
			err = fmt.Errorf("%w: %w", cluster.ErrNotRunning, err)
		}
		return fail(err)
	}
	return nil
}

// endedByItself reports whether containerd knows no task of a container any more, or only its remains.
func endedByItself(err error) bool {
	return strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "process already finished")
}
