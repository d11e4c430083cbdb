package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("not ready after %s", bootTimeout))
	defer cancel()
	if err := c.addNode(ctx, node); err != nil {
		return fmt.Errorf("add node %s to kind cluster %s: %w", node, c.name, err)
	}
	return nil
}

func (c *Cluster) addNode(ctx context.Context, node string) error {
	if problems := validation.IsDNS1123Label(node); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	if err := c.count(ctx); err != nil { // another process may have added one
		return err
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
	added := likeness{node: node, cluster: c.name, network: c.network.name, mark: randomHex(8)}
	if err := c.engine.startLike(ctx, model, added); err != nil {
		return errors.Join(err, c.takeBack(ctx, added))
	}
	if err := c.furnish(ctx, client, model, node); err != nil {
		err = errors.Join(err, c.takeBack(ctx, added))
		return errors.Join(err, c.forget(ctx, client, node))
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
	if err := c.copyImages(ctx, from.String(), node); err != nil {
		return err
	}
	if _, err := c.engine.run(ctx, "exec", node, "kubeadm", "join", "--config", kubeadmFile, "--v=1"); err != nil {
		return err
	}
	return c.welcome(ctx, client, node)
}

// welcome waits until pods can run on a node that has joined, and be reached. Others of the cluster's nodes may be dead.
func (c *Cluster) welcome(ctx context.Context, client *kubernetes.Clientset, node string) error {
	err := await(ctx, client.CoreV1().Nodes(), func(nodes []*corev1.Node) string {
		if slices.ContainsFunc(nodes, func(n *corev1.Node) bool { return n.Name == node && nodeReady(n) }) {
			return ""
		}
		return "node " + node + " is not Ready"
	})
	if err != nil {
		return err
	}
	err = await(ctx, client.CoreV1().Pods(metav1.NamespaceSystem), func(pods []*corev1.Pod) string {
		for _, pod := range pods {
			if pod.Spec.NodeName == node && !podReady(pod) {
				return "pod " + pod.Name + " is not ready"
			}
		}
		return ""
	})
	if err != nil {
		return err
	}
	if err := c.count(ctx); err != nil {
		return err
	}
	if err := c.learn(ctx, client, 0); err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	return c.awaitServices(ctx, client, node)
}

// takeBack removes what there is of the container of a node that could not be added.
func (c *Cluster) takeBack(ctx context.Context, added likeness) error {
	given := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if given { // the engine may go on with a request although the command that sent it was killed
		time.Sleep(settleTime)
	}
	return errors.Join(c.engine.takeAway(ctx, markLabel+"="+added.mark), c.count(ctx))
}

// forget removes a node that is gone from what the API server knows.
func (c *Cluster) forget(ctx context.Context, client kubernetes.Interface, node string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	return forget.Node(ctx, client, node)
}

// RemoveNode removes a worker's container, and then the node and its pods from what the API server knows. It may be called
// again if that failed half way.
func (c *Cluster) RemoveNode(ctx context.Context, node string) error {
	c.resizing.Lock()
	defer c.resizing.Unlock()
	if err := c.removeNode(ctx, node); err != nil {
		return fmt.Errorf("remove node %s from kind cluster %s: %w", node, c.name, err)
	}
	return nil
}

func (c *Cluster) removeNode(ctx context.Context, node string) error {
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	if err := c.count(ctx); err != nil {
		return err
	}
	if err := c.has(node); err != nil {
		// Its container may have gone without it.
		if _, getErr := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{}); apierrors.IsNotFound(getErr) {
			return err
		}
		return forget.Node(ctx, client, node)
	}
	role, err := c.engine.run(ctx, "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", roleLabel), node)
	if err != nil {
		return err
	}
	if role != "worker" {
		return fmt.Errorf("%w: it is a %s node; only workers can be removed", cluster.ErrUnsupported, role)
	}
	if err := c.expect(node, false); err != nil {
		return err
	}
	if err := c.engine.remove(ctx, node); err != nil {
		return errors.Join(err, c.expect(node, true))
	}
	return errors.Join(c.count(ctx), forget.Node(ctx, client, node))
}

// takeAway removes the containers with a label, and the volumes with it.
func (e engine) takeAway(ctx context.Context, label string) error {
	names, err := e.words(ctx, "ps", "-a", "--filter", "label="+label, "--format", "{{.Names}}")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := e.remove(ctx, name); err != nil {
			return err
		}
	}
	volumes, err := e.words(ctx, "volume", "ls", "-q", "--filter", "label="+label)
	if err != nil {
		return err
	}
	return e.removeThese(ctx, volumes)
}

// remove removes a container and its volumes.
func (e engine) remove(ctx context.Context, name string) error {
	volumes, err := e.volumesOf(ctx, name)
	if err != nil {
		return err
	}
	if _, err := e.run(ctx, "rm", "-f", "-v", name); err != nil {
		return err
	}
	return e.removeThese(ctx, volumes)
}
