package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"rehearse.dev/rehearse/harness/cluster/internal/filelock"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// kindNetwork is the network that all kind clusters of a machine share.
const kindNetwork = "kind"

// networkSubnet6 is the subnet that kind itself gives that network.
const networkSubnet6 = "fc00:f853:ccd:e793::/64"

// networkLabel marks the network as made here. Its value is the cluster that needed it first.
const networkLabel = "rehearse.dev/made-for"

// network is the network of a cluster's nodes. It is made here, and not by kind, so that it bears a label: what was made
// here goes with the last cluster, what the user or his kind command made stays.
type network struct {
	engine engine
	// name is the network's.
	name string
	// cluster is who asks.
	cluster string
	// stateRoot holds the journal and the lock under which the network is made and removed.
	stateRoot string
}

// chooseNetwork returns the name of the network that kind will put nodes into.
func chooseNetwork(e engine) string {
	for binary, env := range map[string]string{"docker": "KIND_EXPERIMENTAL_DOCKER_NETWORK", "podman": "KIND_EXPERIMENTAL_PODMAN_NETWORK"} {
		if other := os.Getenv(env); other != "" && e.binary == binary {
			return other
		}
	}
	return kindNetwork
}

func (n network) lock(ctx context.Context) (func(), error) {
	return filelock.Lock(ctx, filepath.Join(n.stateRoot, "kind-network.lock"), nil)
}

// ensure makes the network unless there is one. The cluster must be in the journal: that is what keeps others from
// removing the network before the first node is in it.
func (n network) ensure(ctx context.Context, family v1alpha4.ClusterIPFamily) error {
	unlock, err := n.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	present, err := n.present(ctx)
	if err != nil || present {
		return err
	}
	args := []string{"network", "create", "-d=bridge", "--label", networkLabel + "=" + n.cluster}
	if n.engine.binary == "docker" {
		args = append(args, "-o", "com.docker.network.bridge.enable_ip_masquerade=true")
		if mtu, err := n.engine.run(ctx, "network", "inspect", "bridge", "-f", `{{index .Options "com.docker.network.driver.mtu"}}`); err == nil && mtu != "" {
			args = append(args, "-o", "com.docker.network.driver.mtu="+mtu)
		}
	}
	if family == v1alpha4.IPv6Family || family == v1alpha4.DualStackFamily {
		args = append(args, "--ipv6", "--subnet", networkSubnet6)
	}
	if _, err := n.engine.run(ctx, append(args, n.name)...); err != nil {
		return fmt.Errorf("make network %s: %w", n.name, err)
	}
	return nil
}

func (n network) present(ctx context.Context) (bool, error) {
	names, err := n.engine.words(ctx, "network", "ls", "--format", "{{.Name}}")
	if err != nil {
		return false, fmt.Errorf("look for network %s: %w", n.name, err)
	}
	for _, name := range names {
		if name == n.name {
			return true, nil
		}
	}
	return false, nil
}

// remove removes the network if it was made here and nobody else needs it: no other cluster in the journal, no container
// of anybody's, be it stopped.
func (n network) remove(ctx context.Context) error {
	unlock, err := n.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if needed, err := n.needed(); err != nil || needed {
		return err
	}
	present, err := n.present(ctx)
	if err != nil || !present {
		return err
	}
	madeFor, err := n.engine.run(ctx, "network", "inspect", "--format", fmt.Sprintf("{{index .Labels %q}}", networkLabel), n.name)
	if err != nil {
		return fmt.Errorf("look at network %s: %w", n.name, err)
	}
	if madeFor == "" || madeFor == "<no value>" {
		return nil
	}
	users, err := n.engine.words(ctx, "ps", "-a", "-q", "--filter", "network="+n.name)
	if err != nil || len(users) > 0 {
		return err
	}
	if _, err := n.engine.run(ctx, "network", "rm", n.name); err != nil && !inUse(err) {
		return fmt.Errorf("remove network %s: %w", n.name, err)
	}
	return nil
}

// needed tells whether another kind cluster is in the journal.
func (n network) needed() (bool, error) {
	j, err := journal.Open(n.stateRoot)
	if err != nil {
		return false, err
	}
	records, err := j.List()
	for _, r := range records {
		if isOurs(r) && r.ID != n.cluster {
			return true, nil
		}
	}
	return false, err
}

// inUse tells whether somebody else took to the network between our look and its removal, or removed it.
func inUse(err error) bool {
	return strings.Contains(err.Error(), "active endpoints") || strings.Contains(err.Error(), "in use") || networkGone(err)
}

// networkGone tells whether an error says that there is no such network.
func networkGone(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "network") && (strings.Contains(text, "not found") || strings.Contains(text, "no such network"))
}
