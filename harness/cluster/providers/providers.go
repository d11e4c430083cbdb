// Package providers is the one list of who can make clusters.
package providers

import (
	"context"
	"fmt"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kind"
	"rehearse.dev/rehearse/harness/registry"
)

// Options are what an invocation of the program sets, whoever makes its clusters.
type Options struct {
	// KubeBinary is the control plane of embedded clusters; empty has one built.
	KubeBinary string
}

// Provider is the code of one provider.
type Provider struct {
	// New makes the provider. settings points to the entry's spec; nil stands for an empty one.
	New func(o Options, settings any) (cluster.Provider, error)
	// Undo removes what a killed process left of one of its clusters.
	Undo func(ctx context.Context, r journal.Record) error
	// KubeVersion is the Kubernetes version that its clusters of these settings are going to have, as far as it can be told
	// before one is made, for example v1.36.3.
	KubeVersion func(ctx context.Context, settings any) (string, error)
}

// Registry lists the providers.
func Registry() registry.Registry[Provider] {
	return registry.New("provider",
		registry.Entry[Provider]{
			Name:    "embedded",
			Summary: "Runs a real control plane as child processes, and simulates nodes and pods; needs nothing but this program.",
			Example: "cluster: {provider: embedded, nodes: 3}\n",
			NewSpec: func() any { return &v1alpha1.EmbeddedCluster{} },
			Code: Provider{
				New: func(o Options, _ any) (cluster.Provider, error) {
					return embedded.New(embedded.WithKubeBinary(o.KubeBinary)), nil
				},
				Undo:        embedded.Undo,
				KubeVersion: func(context.Context, any) (string, error) { return embedded.KubeVersion() },
			},
		},
		registry.Entry[Provider]{
			Name:    "kind",
			Summary: "Runs real nodes with real kubelets in containers; needs Docker, podman or nerdctl.",
			Example: "cluster:\n  provider: kind\n  nodes: 2\n  kind:\n    config: {networking: {podSubnet: 10.10.0.0/16}}\n",
			NewSpec: func() any { return &v1alpha1.KindCluster{} },
			Code: Provider{
				New:         newKind,
				Undo:        kind.Undo,
				KubeVersion: kindVersion,
			},
		},
	)
}

// Undo removes clusters that killed processes left, whoever made them.
func Undo() journal.Undo {
	return journal.Undo{Kind: journal.KindCluster, Remove: func(ctx context.Context, r journal.Record) error {
		entry, err := Registry().Lookup(r.Data[journal.DataProvider])
		if err != nil {
			return fmt.Errorf("cluster %s: %w", r.ID, err)
		}
		return entry.Code.Undo(ctx, r)
	}}
}
