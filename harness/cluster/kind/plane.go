package kind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/cluster"
)

var _ cluster.Interruptible = (*Cluster)(nil)

const (
	// roleLabel of a node's container says what the node is.
	roleLabel = "io.x-k8s.kind.role"
	// manifests is where a node's kubelet looks for the control plane's pods; aside is where it does not.
	manifests = "/etc/kubernetes/manifests/"
	aside     = "/etc/kubernetes/rehearse."
	apiserver = "kube-apiserver"
	etcd      = "etcd"
	// readyPoll is how often the API server is asked whether it is ready.
	readyPoll = 100 * time.Millisecond
)

// signalScript sends a signal to every process of a name in a node. Node images have no tool in common that does: ours
// has no crictl, and pkill is not said to be in any.
func signalScript(name, signal string) string {
	return fmt.Sprintf(`found=
for p in /proc/[0-9]*; do
  if { read -r comm <$p/comm; } 2>/dev/null && [ "$comm" = %q ]; then kill -%s ${p#/proc/} && found=1; fi
done
[ -n "$found" ] || { echo "no process %s runs" >&2; exit 1; }`, name, signal, name)
}

// PauseAPIServer freezes the API server of each control plane. After some 80 seconds the kubelet takes it for dead, by its
// liveness probe, and starts another.
func (c *Cluster) PauseAPIServer(ctx context.Context) error {
	return c.onControlPlanes(ctx, "freeze its API server", signalScript(apiserver, "STOP"))
}

// ResumeAPIServer lets the API servers go on.
func (c *Cluster) ResumeAPIServer(ctx context.Context) error {
	if err := c.onControlPlanes(ctx, "let its API server go on", signalScript(apiserver, "CONT")); err != nil {
		return err
	}
	return c.awaitAPIServer(ctx)
}

// KillAPIServer takes the API server's pod away from the kubelet, which would start it again, and kills it.
func (c *Cluster) KillAPIServer(ctx context.Context) error {
	file := apiserver + ".yaml"
	script := fmt.Sprintf("if [ -e %[1]s ]; then mv %[1]s %[2]s; fi\n", manifests+file, aside+file)
	// That it has ended by now is as good.
	return c.onControlPlanes(ctx, "kill its API server", script+"("+signalScript(apiserver, "KILL")+") 2>/dev/null || true")
}

// StartAPIServer gives the kubelet the pod back, and waits until the API server is ready.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	file := apiserver + ".yaml"
	script := fmt.Sprintf("if [ -e %[2]s ]; then mv %[2]s %[1]s; fi", manifests+file, aside+file)
	if err := c.onControlPlanes(ctx, "start its API server", script); err != nil {
		return err
	}
	return c.awaitAPIServer(ctx)
}

// PauseEtcd freezes etcd.
func (c *Cluster) PauseEtcd(ctx context.Context) error {
	return c.onControlPlanes(ctx, "freeze its etcd", signalScript(etcd, "STOP"))
}

// ResumeEtcd lets etcd go on.
func (c *Cluster) ResumeEtcd(ctx context.Context) error {
	return c.onControlPlanes(ctx, "let its etcd go on", signalScript(etcd, "CONT"))
}

// controlPlanes are the nodes of the control plane that run; there is one at least.
func (c *Cluster) controlPlanes(ctx context.Context) ([]string, error) {
	nodes, err := c.engine.words(ctx, "ps", "--filter", "label="+clusterLabel+"="+c.name,
		"--filter", "label="+roleLabel+"=control-plane", "--format", "{{.Names}}")
	if err == nil && len(nodes) == 0 {
		err = errors.New("no node of the control plane runs")
	}
	slices.Sort(nodes)
	return nodes, err
}

// onControlPlanes runs a script on each node of the control plane.
func (c *Cluster) onControlPlanes(ctx context.Context, what, script string) error {
	nodes, err := c.controlPlanes(ctx)
	if err != nil {
		return fmt.Errorf("kind cluster %s: %s: %w", c.name, what, err)
	}
	var errs []error
	for _, node := range nodes {
		if _, err := c.engine.run(ctx, "exec", node, "sh", "-c", script); err != nil {
			errs = append(errs, fmt.Errorf("node %s of kind cluster %s: %s: %w", node, c.name, what, err))
		}
	}
	return errors.Join(errs...)
}

// readyPaths are what the API server has to answer for to be ready. It calls itself ready before it has read its roles,
// without which it refuses kubeadm's administrator: the second of them needs a right.
var readyPaths = []string{"/readyz", "/api/v1/namespaces/" + metav1.NamespaceSystem}

// awaitAPIServer waits until the API server is ready.
func (c *Cluster) awaitAPIServer(ctx context.Context) error {
	config := c.RESTConfig()
	config.Timeout = 2 * time.Second
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		err := answers(client, config.Host, readyPaths)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until the API server of kind cluster %s is ready: %w (last answer: %w)", c.name, context.Cause(ctx), err)
		}
	}
}

// answers says which of the paths is not answered for.
func answers(client *http.Client, host string, paths []string) error {
	for _, path := range paths {
		resp, err := client.Get(host + path)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: status %s", path, resp.Status)
		}
	}
	return nil
}
