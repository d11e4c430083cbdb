// Package providers is the one list of who can make clusters.
package providers

import (
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
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
	// KubeVersion is the Kubernetes version of its clusters unless settings say otherwise, for example v1.36.3.
	KubeVersion func() (string, error)
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
				KubeVersion: embedded.KubeVersion,
			},
		},
	)
}
