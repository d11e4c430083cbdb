package cluster

import (
	"context"
	"errors"
)

// ErrNodeExists means that the cluster has a node of that name already.
var ErrNodeExists = errors.New("there is a node of that name already")

// Resizable is a Cluster whose worker nodes can be added and removed while it runs.
type Resizable interface {
	Cluster
	// AddNode adds a worker and returns once pods can run on it. On error nothing is left of it.
	AddNode(ctx context.Context, node string) error
	// RemoveNode removes a worker for good, with all pods on it. They get no time to end: drain the node first if they
	// are to have some.
	RemoveNode(ctx context.Context, node string) error
}
