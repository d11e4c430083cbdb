// Package cluster says what a cluster is to the harness. Providers live in packages below it.
package cluster

import (
	"context"

	"k8s.io/client-go/rest"
)

// Spec is what a scenario asks of a cluster.
type Spec struct {
	// Name is unique on this machine; empty lets the provider choose one.
	Name string
	// Nodes is how many nodes are Ready once Create returns; zero lets the provider choose.
	Nodes int
	// Progress receives one line for each phase; nil discards them.
	Progress func(phase string)
}

// Provider makes clusters.
type Provider interface {
	// Name is the provider's name in scenario files.
	Name() string
	// Create boots a cluster and returns once its API server answers and its nodes are Ready. Everything it makes is
	// journaled before it is made; on error nothing is left.
	Create(ctx context.Context, spec Spec) (Cluster, error)
}

// Cluster is a running cluster.
type Cluster interface {
	// Name is unique on this machine.
	Name() string
	// RESTConfig returns a new client configuration with administrator rights.
	RESTConfig() *rest.Config
	// KubeconfigPath is a kubeconfig file of administrator rights, outside the user's own.
	KubeconfigPath() string
	// CacheDir is a folder for Helm's and kubectl's discovery caches, this cluster's alone.
	CacheDir() string
	// Version is the Kubernetes version, for example v1.36.3.
	Version() string
	// CollectLogs copies the components' logs into dir.
	CollectLogs(ctx context.Context, dir string) error
	// Delete ends the cluster and removes all that it made. It may be called again.
	Delete(ctx context.Context) error
}

// Mortal is a Cluster that notices when a part of it ends that nobody asked to end.
type Mortal interface {
	Cluster
	// Died is closed then; nil if the cluster cannot tell by itself.
	Died() <-chan struct{}
	// Cause says which part ended, and why; nil while the cluster lives.
	Cause() error
}
