package kind

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

// learn notes what connect has to know of a cluster whose nodes run an image of ours. It waits until so many nodes have
// addresses for pods.
func (c *Cluster) learn(ctx context.Context, client kubernetes.Interface, want int) error {
	if !c.ownImage {
		return nil
	}
	if err := c.learnServices(ctx, client); err != nil {
		return err
	}
	return c.learnRanges(ctx, client, want)
}

// catchUp learns of a cluster that was joined, as soon as its API server answers.
func (c *Cluster) catchUp(ctx context.Context) error {
	c.learning.Lock()
	defer c.learning.Unlock()
	if c.unlearnt == nil || !c.ownImage {
		return nil
	}
	if _, err := awaitAPI(ctx, c.unlearnt); err != nil {
		return err
	}
	if err := c.learn(ctx, c.unlearnt, 0); err != nil {
		return err
	}
	c.unlearnt = nil
	return nil
}

// learnRanges notes which addresses the pods of each node get, where pods of different nodes cannot reach each other by
// themselves: our node image has no network add-on that tells nodes of each other.
func (c *Cluster) learnRanges(ctx context.Context, client kubernetes.Interface, want int) error {
	if len(c.Nodes()) < 2 {
		return nil
	}
	var ranges map[string][]string
	err := await(ctx, client.CoreV1().Nodes(), func(nodes []*corev1.Node) string {
		ranges = map[string][]string{}
		var missing []string
		for _, n := range nodes {
			if len(n.Spec.PodCIDRs) == 0 {
				missing = append(missing, n.Name)
			}
			ranges[n.Name] = n.Spec.PodCIDRs
		}
		return lacking(want, len(nodes), "nodes with addresses for pods", missing)
	})
	if err != nil {
		return err
	}
	c.counting.Lock()
	defer c.counting.Unlock()
	c.ranges = ranges
	return nil
}

// learnServices notes which addresses of Services kube-proxy serves by rules on each node.
func (c *Cluster) learnServices(ctx context.Context, client kubernetes.Interface) error {
	proxy, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kube-proxy", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("ask for the configuration of kube-proxy: %w", err)
	}
	c.counting.Lock()
	c.proxied = err == nil
	c.counting.Unlock()
	switch {
	case err != nil:
		return nil
	case strings.Contains(proxy.Data["config.conf"], "mode: "+string(v1alpha4.IPVSProxyMode)):
		return nil // it has addresses on each node instead
	}
	all, err := client.NetworkingV1().ServiceCIDRs().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("ask for the addresses of Services: %w", err)
	}
	var services []string
	for _, cidr := range all.Items {
		for _, addresses := range cidr.Spec.CIDRs {
			if !strings.Contains(addresses, ":") {
				services = append(services, addresses)
			}
		}
	}
	c.counting.Lock()
	defer c.counting.Unlock()
	c.services = services
	return nil
}

// awaitServices waits until nodes have rules for Services. kube-proxy may run and not have written them yet.
func (c *Cluster) awaitServices(ctx context.Context, client kubernetes.Interface, nodes ...string) error {
	c.counting.Lock()
	proxied := c.proxied
	c.counting.Unlock()
	if !c.ownImage || !proxied {
		return nil
	}
	api, err := client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("ask for the API server's Service: %w", err)
	}
	script := fmt.Sprintf("until timeout 1 bash -c 'exec 3<>/dev/tcp/%s/%d' 2>/dev/null; do sleep 0.1; done", api.Spec.ClusterIP, api.Spec.Ports[0].Port)
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range nodes {
		group.Go(func() error {
			if _, err := c.engine.run(ctx, "exec", node, "sh", "-c", script); err != nil {
				return fmt.Errorf("wait for Services on node %s: %w", node, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// connect gives pods a way to those of other nodes, and lets nothing that is meant for a Service leave a node, as learn
// found that they need it. A node that is paused or dead gets this when it starts again; it may have another address then.
func (c *Cluster) connect(ctx context.Context) error {
	c.counting.Lock()
	ranges, services := c.ranges, c.services
	c.counting.Unlock()
	if len(ranges) == 0 && len(services) == 0 {
		return nil
	}
	addresses, err := c.addresses(ctx)
	if err != nil {
		return fmt.Errorf("route between the nodes' pods: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for node := range addresses {
		group.Go(func() error {
			script := strings.Join([]string{"set -e", routes(node, addresses, ranges), fence(services)}, "\n")
			if _, err := c.engine.run(ctx, "exec", node, "sh", "-c", script); err != nil {
				return fmt.Errorf("route between the nodes' pods: node %s: %w", node, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// addresses returns the addresses of the nodes that run.
func (c *Cluster) addresses(ctx context.Context) (map[string]string, error) {
	const format = `{{.Name}} {{.State.Status}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}`
	out, err := c.engine.run(ctx, append([]string{"inspect", "--format", format}, c.Nodes()...)...)
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
	var lines []string
	for _, other := range slices.Sorted(maps.Keys(addresses)) {
		for _, pods := range ranges[other] {
			if other != node && !strings.Contains(pods, ":") { // nodes have addresses of IPv4 here
				lines = append(lines, fmt.Sprintf("ip route replace %s via %s", pods, addresses[other]))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// fence is a script for one node: it refuses what is meant for the address of a Service and has not been sent on to a pod
// by kube-proxy, whose rules come first. While kube-proxy writes the rules of a new Service there are moments without any,
// in which packets would leave the node, for whoever has that address out there, and a connection would hang.
func fence(services []string) string {
	var lines []string
	for _, addresses := range services {
		for _, chain := range []string{"OUTPUT", "FORWARD"} {
			rule := fmt.Sprintf("%s --destination %s -m comment --comment rehearse -j REJECT", chain, addresses)
			lines = append(lines, fmt.Sprintf("iptables -w -C %s 2>/dev/null || iptables -w -A %s", rule, rule))
		}
	}
	return strings.Join(lines, "\n")
}
