package rehearsetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rehearse.dev/rehearse/harness/cluster"
)

// ErrUnsupported says that a cluster provider of this program has no such setting.
var ErrUnsupported = errors.New("not supported by this cluster provider")

// E2ECluster offers a cluster provider of this program to sigs.k8s.io/e2e-framework, for envfuncs.CreateCluster. Its
// methods follow the framework's order: settings, Create, use, Destroy.
type E2ECluster struct {
	provider cluster.Provider
	spec     cluster.Spec
	// defaulted is set if nobody said how many nodes there are to be.
	defaulted bool
	running   cluster.Cluster
	refused   error
}

// configured is a provider whose clusters can follow a file.
type configured interface {
	ConfiguredBy(path string) (cluster.Provider, error)
}

var _ types.E2EClusterProvider = (*E2ECluster)(nil)

// NewE2ECluster adapts a provider. spec says how many nodes the cluster has; its name is the framework's.
func NewE2ECluster(p cluster.Provider, spec cluster.Spec) *E2ECluster {
	return &E2ECluster{provider: p, spec: spec}
}

// Cluster is the running cluster; nil before Create.
func (e *E2ECluster) Cluster() cluster.Cluster { return e.running }

// SetDefaults gives the cluster three nodes unless the spec says how many.
func (e *E2ECluster) SetDefaults() types.E2EClusterProvider {
	e.defaulted = e.defaulted || e.spec.Nodes == 0
	e.spec.Nodes = cmp.Or(e.spec.Nodes, 3)
	return e
}

// WithName names the cluster.
func (e *E2ECluster) WithName(name string) types.E2EClusterProvider {
	e.spec.Name = name
	return e
}

// WithVersion is refused by Create: the Kubernetes version is the provider's.
func (e *E2ECluster) WithVersion(string) types.E2EClusterProvider { return e.refuse("WithVersion") }

// WithPath is refused by Create: the program is the provider's.
func (e *E2ECluster) WithPath(string) types.E2EClusterProvider { return e.refuse("WithPath") }

func (e *E2ECluster) refuse(what string) types.E2EClusterProvider {
	e.refused = errors.Join(e.refused, fmt.Errorf("%s: %w", what, ErrUnsupported))
	return e
}

// WithOpts applies options.
func (e *E2ECluster) WithOpts(opts ...types.ClusterOpts) types.E2EClusterProvider {
	for _, opt := range opts {
		opt(e)
	}
	return e
}

// Create boots the cluster and returns the path of its kubeconfig. It takes no arguments.
func (e *E2ECluster) Create(ctx context.Context, args ...string) (string, error) {
	if len(args) > 0 {
		e.refuse("Create with arguments")
	}
	if e.refused != nil {
		return "", e.refused
	}
	var err error
	if e.running, err = e.provider.Create(ctx, e.spec); err != nil {
		return "", err
	}
	return e.running.KubeconfigPath(), nil
}

// CreateWithConfig is Create with a file that says what the cluster is like: of provider kind its v1alpha4 config, which
// decides how many nodes there are unless the spec does. An embedded cluster has no such file.
func (e *E2ECluster) CreateWithConfig(ctx context.Context, path string) (string, error) {
	provider, ok := e.provider.(configured)
	if !ok {
		return "", fmt.Errorf("CreateWithConfig: %w", ErrUnsupported)
	}
	other, err := provider.ConfiguredBy(path)
	if err != nil {
		return "", fmt.Errorf("CreateWithConfig: %w", err)
	}
	e.provider = other
	if e.defaulted {
		e.spec.Nodes = 0
	}
	return e.Create(ctx)
}

// GetKubeconfig is the path of the kubeconfig; empty before Create.
func (e *E2ECluster) GetKubeconfig() string {
	if e.running == nil {
		return ""
	}
	return e.running.KubeconfigPath()
}

// GenerateKubeconfig is GetKubeconfig, with an error before Create. It takes no arguments.
func (e *E2ECluster) GenerateKubeconfig(args ...string) (string, error) {
	if e.running == nil || len(args) > 0 {
		return "", fmt.Errorf("GenerateKubeconfig before Create or with arguments: %w", ErrUnsupported)
	}
	return e.running.KubeconfigPath(), nil
}

// GetKubectlContext is empty: the kubeconfig has one context, which is the current one.
func (e *E2ECluster) GetKubectlContext() string { return "" }

// ExportLogs copies the components' logs into dest.
func (e *E2ECluster) ExportLogs(ctx context.Context, dest string) error {
	if e.running == nil {
		return nil
	}
	return e.running.CollectLogs(ctx, dest)
}

// Destroy ends the cluster. It may be called again.
func (e *E2ECluster) Destroy(ctx context.Context) error {
	if e.running == nil {
		return nil
	}
	return e.running.Delete(ctx)
}

// WaitForControlPlane returns at once: Create has waited.
func (e *E2ECluster) WaitForControlPlane(context.Context, klient.Client) error { return nil }

// KubernetesRestConfig is a client configuration of administrator rights; nil before Create.
func (e *E2ECluster) KubernetesRestConfig() *rest.Config {
	if e.running == nil {
		return nil
	}
	return e.running.RESTConfig()
}

// Feature makes a feature of the scenarios in paths, which are rehearsed on the environment's cluster of that name. It
// must be an E2ECluster, made by envfuncs.CreateCluster.
func Feature(clusterName string, paths []string, opts ...Option) types.Feature {
	assess := func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		found, _ := envfuncs.GetClusterFromContext(ctx, clusterName)
		e, ok := found.(*E2ECluster)
		if !ok || e.running == nil {
			t.Fatalf("the environment holds no running E2ECluster named %q, but %T", clusterName, found)
		}
		Run(t, paths, append([]Option{WithCluster(e.running)}, opts...)...)
		return ctx
	}
	return features.New("rehearsal").Assess("verdicts", assess).Feature()
}
