package cluster

import "context"

// Reaching is a Cluster whose API server can call the harness, as it calls webhooks.
type Reaching interface {
	Cluster
	// HarnessAddress is the IP address of this machine at which the API server reaches servers of the harness. They listen
	// there and nowhere else. The error wraps ErrUnsupported if there is none.
	HarnessAddress(ctx context.Context) (string, error)
}
