package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	kindnodes "sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/log"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/internal/forget"
)

var _ cluster.Resizable = (*Cluster)(nil)

// AddNode adds a worker like those that kind makes, which has no call for it: a container like that of the control plane's
// first node, with its image, configuration and loaded images, that joins with kubeadm.
func (c *Cluster) AddNode(ctx context.Context, node string) error {
	c.resizing.Lock()
	defer c.resizing.Unlock()
	if err := c.addNode(ctx, node); err != nil {
		return fmt.Errorf("add node %s to kind cluster %s: %w", node, c.name, err)
	}
	return nil
}

func (c *Cluster) addNode(ctx context.Context, node string) error {
	if problems := validation.IsDNS1123Label(node); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	if slices.Contains(c.Nodes(), node) {
		return cluster.ErrNodeExists
	}
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	if err := c.catchUp(ctx); err != nil {
		return err
	}
	model, err := c.model(ctx)
	if err != nil {
		return err
	}
	if err := c.expect(node, false); err != nil { // until it is one of the cluster's
		return err
	}
	if err := c.engine.startLike(ctx, model, likeness{node: node, cluster: c.name, network: c.network.name}); err != nil {
		return errors.Join(err, c.engine.takeAway(ctx, c.name, node))
	}
	if err := c.furnish(ctx, client, model, node); err != nil {
		return errors.Join(err, c.takeBack(ctx, client, node))
	}
	return c.expect(node, true)
}

// furnish makes a node of a container that has just been started.
func (c *Cluster) furnish(ctx context.Context, client *kubernetes.Clientset, model container, node string) error {
	members, err := c.engine.provider(log.NoopLogger{}).ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	named := map[string]kindnodes.Node{}
	for _, member := range members {
		named[member.String()] = member
	}
	from, to := named[model.name()], named[node]
	if from == nil || to == nil {
		return errors.New("kind does not know it")
	}
	if err := c.awaitSystem(ctx, node); err != nil {
		return err
	}
	if err := c.configure(ctx, from, to); err != nil {
		return err
	}
	if err := c.copyImages(ctx, from, to); err != nil {
		return err
	}
	if _, err := c.engine.run(ctx, "exec", node, "kubeadm", "join", "--config", kubeadmFile, "--v=1"); err != nil {
		return err
	}
	if err := c.count(ctx); err != nil {
		return err
	}
	return c.awaitWorking(ctx, client, len(c.Nodes()))
}

// takeBack removes what there is of a node that could not be added.
func (c *Cluster) takeBack(ctx context.Context, client kubernetes.Interface, node string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	return errors.Join(c.engine.takeAway(ctx, c.name, node), forget.Node(ctx, client, node), c.count(ctx))
}

// RemoveNode removes a worker's container, and then the node and its pods from what the API server knows.
func (c *Cluster) RemoveNode(ctx context.Context, node string) error {
	c.resizing.Lock()
	defer c.resizing.Unlock()
	if err := c.removeNode(ctx, node); err != nil {
		return fmt.Errorf("remove node %s from kind cluster %s: %w", node, c.name, err)
	}
	return nil
}

func (c *Cluster) removeNode(ctx context.Context, node string) error {
	if err := c.has(node); err != nil {
		return err
	}
	role, err := c.engine.run(ctx, "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", roleLabel), node)
	if err != nil {
		return err
	}
	if role != "worker" {
		return fmt.Errorf("%w: it is a %s node; only workers can be removed", cluster.ErrUnsupported, role)
	}
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	if err := c.expect(node, false); err != nil {
		return err
	}
	if err := c.engine.takeAway(ctx, c.name, node); err != nil {
		return err
	}
	if err := forget.Node(ctx, client, node); err != nil {
		return err
	}
	return c.count(ctx)
}

// takeAway removes the container of a cluster's node, if there is one, and its volumes. Others' containers may have its name.
func (e engine) takeAway(ctx context.Context, cluster, node string) error {
	all, err := e.nodes(ctx, cluster)
	if err != nil || !slices.Contains(all, node) {
		return err
	}
	volumes, err := e.volumesOf(ctx, node)
	if err != nil {
		return err
	}
	if _, err := e.run(ctx, "rm", "-f", "-v", node); err != nil {
		return err
	}
	return e.removeThese(ctx, volumes)
}
