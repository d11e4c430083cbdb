// Package providers is the one list of who can make clusters.
package providers

import (
	"context"
	"fmt"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/kind"
	"rehearse.dev/rehearse/harness/registry"
)

// Options are what an invocation of the program sets, whoever makes its clusters.
type Options struct {
	// KubeBinary is the control plane of embedded clusters; empty has one built.
	KubeBinary string
	// FailureLogs is the folder for the logs of clusters that could not be made; empty keeps none. An embedded cluster's error
	// has the end of the log that matters, and needs no folder.
	FailureLogs string
}

// Provider is the code of one provider.
type Provider struct {
	// New makes the provider. settings points to the entry's spec; nil stands for an empty one.
	New func(o Options, settings any) (cluster.Provider, error)
	// Undo removes what a killed process left of one of its clusters.
	Undo func(ctx context.Context, r journal.Record) error
	// KubeVersion is the Kubernetes version that its clusters of these settings are going to have, as far as it can be told
	// before one is made, for example v1.36.3.
	KubeVersion func(ctx context.Context, o Options, settings any) (string, error)
	// Files are the files that are read to make a cluster of these settings. Nil: there are none.
	Files func(settings any) []string
	// Clusters is a nil cluster of its. What they can, such as to be broken, is known by the type.
	Clusters cluster.Cluster
	// Lacks says of which controllers there are none on any of its clusters; see cluster.Incomplete. Nil: they have all.
	Lacks func(controller string) error
	// AttachTo joins a cluster of its that another process keeps.
	AttachTo func(ctx context.Context, info kept.Info) (cluster.Cluster, error)
}

func newEmbedded(o Options) *embedded.Provider {
	return embedded.New(embedded.WithKubeBinary(o.KubeBinary))
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
				New:         func(o Options, _ any) (cluster.Provider, error) { return newEmbedded(o), nil },
				Undo:        embedded.Undo,
				KubeVersion: func(_ context.Context, o Options, _ any) (string, error) { return newEmbedded(o).KubeVersion() },
				Clusters:    (*embedded.Cluster)(nil),
				Lacks:       embedded.Lacks,
				AttachTo: func(_ context.Context, info kept.Info) (cluster.Cluster, error) {
					return embedded.New().AttachTo(info)
				},
			},
		},
		registry.Entry[Provider]{
			Name:    "kind",
			Summary: "Runs real nodes with real kubelets in containers; needs Docker, podman or nerdctl.",
			Example: "cluster:\n  provider: kind\n  nodes: 2\n  kind:\n    config: {networking: {podSubnet: 10.10.0.0/16}}\n",
			NewSpec: func() any { return &v1alpha1.KindCluster{} }, Validate: validateKind,
			Code: Provider{
				New:         newKind,
				Undo:        kind.Undo,
				KubeVersion: kindVersion,
				Files:       kindFiles,
				Clusters:    (*kind.Cluster)(nil),
				AttachTo: func(ctx context.Context, info kept.Info) (cluster.Cluster, error) {
					return kind.New().AttachTo(ctx, info)
				},
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

// Attach returns a cluster that rehearse cluster up keeps, and what is known of it, from the journal's default place.
func Attach(ctx context.Context, name string) (cluster.Cluster, kept.Info, error) {
	info, err := kept.Usable("", name)
	if err != nil {
		return nil, info, err
	}
	entry, err := Registry().Lookup(info.Provider)
	if err != nil {
		return nil, info, fmt.Errorf("attach to %s: %w", name, err)
	}
	c, err := entry.Code.AttachTo(ctx, info)
	return c, info, err
}

// Keeper is a provider that can keep clusters of these settings; nil stands for empty ones.
func Keeper(name string, o Options, settings any) (kept.Keeper, error) {
	entry, err := Registry().Lookup(name)
	if err != nil {
		return nil, err
	}
	p, err := entry.Code.New(o, settings)
	if err != nil {
		return nil, err
	}
	keeper, ok := p.(kept.Keeper)
	if !ok {
		return nil, fmt.Errorf("%w: clusters of provider %s cannot be kept", cluster.ErrUnsupported, name)
	}
	return keeper, nil
}
