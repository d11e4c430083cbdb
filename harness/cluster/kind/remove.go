package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// clusterLabel is on every node container that kind makes; its value is the cluster's name.
const clusterLabel = "io.x-k8s.kind.cluster"

const (
	// removeRetry is how long to wait before containers that would not go are looked at again: a removal may be under way.
	removeRetry = 200 * time.Millisecond
	// settleTime is for how long no container may appear before it is believed that none will: an engine goes on with a
	// request although the command that sent it was killed.
	settleTime = 2 * time.Second
)

// nodes returns the node containers of a cluster, running or not.
func (e engine) nodes(ctx context.Context, cluster string) ([]string, error) {
	names, err := e.words(ctx, "ps", "-a", "--filter", "label="+clusterLabel+"="+cluster, "--format", "{{.Names}}")
	if err != nil {
		return nil, fmt.Errorf("list the nodes of %s: %w", cluster, err)
	}
	slices.Sort(names)
	return names, nil
}

// removeNodes removes the node containers of a cluster and their anonymous volumes.
func (e engine) removeNodes(ctx context.Context, cluster string) error {
	var volumes []string
	for {
		nodes, err := e.nodes(ctx, cluster)
		if err != nil {
			return err
		}
		if len(nodes) == 0 {
			return e.removeVolumes(ctx, cluster, volumes)
		}
		if mounted, err := e.volumesOf(ctx, nodes...); err == nil { // one that has just gone takes its volumes along
			volumes = append(volumes, mounted...)
		}
		_, err = e.run(ctx, append([]string{"rm", "-f", "-v"}, nodes...)...)
		if err == nil {
			continue
		}
		select {
		case <-time.After(removeRetry):
		case <-ctx.Done():
			return fmt.Errorf("remove the nodes of %s: %w", cluster, errors.Join(context.Cause(ctx), err))
		}
	}
}

// removeVolumes removes what is left of volumes of removed nodes, and those that were made for nodes that never came to be.
func (e engine) removeVolumes(ctx context.Context, cluster string, volumes []string) error {
	labelled, err := e.labelledVolumes(ctx, cluster)
	if err != nil {
		return fmt.Errorf("list the volumes of %s: %w", cluster, err)
	}
	if err := e.removeThese(ctx, append(volumes, labelled...)); err != nil {
		return fmt.Errorf("remove the volumes of %s: %w", cluster, err)
	}
	return nil
}

// volumesOf are the volumes of containers.
func (e engine) volumesOf(ctx context.Context, containers ...string) ([]string, error) {
	const format = `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`
	return e.words(ctx, append([]string{"inspect", "--format", format}, containers...)...)
}

// removeThese removes what of these volumes there still is.
func (e engine) removeThese(ctx context.Context, volumes []string) error {
	all, err := e.words(ctx, "volume", "ls", "-q")
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	left := slices.DeleteFunc(volumes, func(v string) bool { return !slices.Contains(all, v) })
	slices.Sort(left)
	left = slices.Compact(left)
	if len(left) == 0 {
		return nil
	}
	_, err = e.run(ctx, append([]string{"volume", "rm"}, left...)...)
	return err
}

// nodeSuffix is what kind adds to a cluster's name to name a node.
var nodeSuffix = regexp.MustCompile(`^-(control-plane|worker)[0-9]*$`)

// labelledVolumes are the volumes that are made for podman, each before its node: by kind itself, with the node's name as the
// label's key, and by AddNode.
func (e engine) labelledVolumes(ctx context.Context, cluster string) ([]string, error) {
	if e.binary != "podman" {
		return nil, nil
	}
	out, err := e.run(ctx, "volume", "ls", "--format", "{{.Name}} {{json .Labels}}")
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(out) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		var labels map[string]string
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			return nil, fmt.Errorf("the labels of volume %s: %w", name, err)
		}
		if labels[clusterLabel] == cluster {
			names = append(names, name)
		}
		for label := range labels {
			if suffix, ok := strings.CutPrefix(label, cluster); ok && nodeSuffix.MatchString(suffix) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// removeUntil removes nodes as they appear until a call of kind's, whose nodes they are, has ended.
func (e engine) removeUntil(ctx context.Context, cluster string, going *pending) error {
	for {
		over := going.settled() // before the look: what it made last is seen
		if err := e.removeNodes(ctx, cluster); err != nil {
			return err
		}
		if over {
			return nil
		}
		select {
		case <-going.done:
		case <-time.After(removeRetry):
		case <-ctx.Done():
			return fmt.Errorf("%s was abandoned and has not ended: %w", going.what, context.Cause(ctx))
		}
	}
}

// removeSettled removes the nodes of a cluster that a killed process was still making, until no more appear.
func (e engine) removeSettled(ctx context.Context, cluster string) error {
	for quiet := time.Now(); time.Since(quiet) < settleTime; {
		nodes, err := e.nodes(ctx, cluster)
		if err != nil {
			return err
		}
		if len(nodes) > 0 {
			quiet = time.Now()
		}
		if err := e.removeNodes(ctx, cluster); err != nil {
			return err
		}
		select {
		case <-time.After(removeRetry):
		case <-ctx.Done():
			return fmt.Errorf("wait whether more nodes of %s appear: %w", cluster, context.Cause(ctx))
		}
	}
	return nil
}
