package embedded

import (
	"context"

	"rehearse.dev/rehearse/harness/cluster"
)

var (
	_ cluster.Reaching = (*Cluster)(nil)
	_ cluster.Reaching = (*attached)(nil)
)

// loopback is where the API server, a process of this machine, reaches the harness.
const loopback = "127.0.0.1"

// HarnessAddress is the loopback address.
func (c *Cluster) HarnessAddress(context.Context) (string, error) { return loopback, nil }

func (a *attached) HarnessAddress(context.Context) (string, error) { return loopback, nil }
