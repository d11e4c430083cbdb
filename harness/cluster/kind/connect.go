package kind

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// learnRanges notes which addresses the pods of each node get, where pods of different nodes cannot reach each other by
// themselves: our node image has no network add-on that tells nodes of each other.
func (c *Cluster) learnRanges(ctx context.Context, client kubernetes.Interface) error {
	if !c.ownImage || len(c.members) < 2 {
		return nil
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("ask for the nodes' pod addresses: %w", err)
	}
	c.ranges = map[string][]string{}
	for _, n := range nodes.Items {
		c.ranges[n.Name] = n.Spec.PodCIDRs
	}
	return nil
}

// connect gives pods a way to those of other nodes, if learnRanges found that they need one. A node that is paused or
// dead gets its routes when it starts again; it may have another address then.
func (c *Cluster) connect(ctx context.Context) error {
	if len(c.ranges) == 0 {
		return nil
	}
	addresses, err := c.addresses(ctx)
	if err != nil {
		return fmt.Errorf("route between the nodes' pods: %w", err)
	}
	for _, node := range slices.Sorted(maps.Keys(addresses)) {
		script := routes(node, addresses, c.ranges)
		if _, err := c.engine.run(ctx, "exec", node, "sh", "-c", script); err != nil {
			return fmt.Errorf("route between the nodes' pods: node %s: %w", node, err)
		}
	}
	return nil
}

// addresses returns the addresses of the nodes that run.
func (c *Cluster) addresses(ctx context.Context) (map[string]string, error) {
	const format = `{{.Name}} {{.State.Status}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}`
	out, err := c.engine.run(ctx, append([]string{"inspect", "--format", format}, c.members...)...)
	if err != nil {
		return nil, err
	}
	addresses := map[string]string{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[1] == "running" {
			addresses[strings.TrimPrefix(fields[0], "/")] = fields[2]
		}
	}
	return addresses, nil
}

// routes is a script for one node: the ways to the pods of all others that run.
func routes(node string, addresses map[string]string, ranges map[string][]string) string {
	lines := []string{"set -e"}
	for _, other := range slices.Sorted(maps.Keys(addresses)) {
		for _, pods := range ranges[other] {
			if other != node && !strings.Contains(pods, ":") { // nodes have addresses of IPv4 here
				lines = append(lines, fmt.Sprintf("ip route replace %s via %s", pods, addresses[other]))
			}
		}
	}
	return strings.Join(lines, "\n")
}
