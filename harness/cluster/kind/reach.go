package kind

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"rehearse.dev/rehearse/harness/cluster"
)

var _ cluster.Reaching = (*Cluster)(nil)

// HarnessAddress is the address of this machine in the network of the nodes, which is their gateway. Where containers run
// in a machine of their own, as with Docker Desktop, that is no address of this machine, and whoever listens there fails.
func (c *Cluster) HarnessAddress(ctx context.Context) (string, error) {
	out, err := c.engine.run(ctx, "network", "inspect", c.network.name)
	if err != nil {
		return "", fmt.Errorf("ask for the gateway of network %s: %w", c.network.name, err)
	}
	address, err := gateway(out)
	if err != nil {
		return "", fmt.Errorf("network %s: %w", c.network.name, err)
	}
	return address, nil
}

// gateway finds the gateway in what an engine says of a network, of IPv4 if there are several. A network without one is
// nothing that a cluster can reach us through.
func gateway(inspected string) (string, error) {
	var six string
	for line := range strings.Lines(inspected) {
		key, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.Trim(key, ` "`+"\t"), "gateway") {
			continue
		}
		address, err := netip.ParseAddr(strings.Trim(value, ` ",`+"\t\r\n"))
		switch {
		case err != nil:
		case address.Is4():
			return address.String(), nil
		case six == "":
			six = address.String()
		}
	}
	if six == "" {
		return "", fmt.Errorf("%w: it has no gateway, so that its nodes cannot reach this machine", cluster.ErrUnsupported)
	}
	return six, nil
}
