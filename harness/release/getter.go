package release

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// getter gives Helm its clients from one rest.Config. Discovery is cached in memory, for one operation: the helm CLI's
// cache on disk is keyed by host and port, and would show one throw-away cluster the kinds of another.
type getter struct {
	config    *rest.Config
	discovery discovery.CachedDiscoveryInterface
	mapper    meta.ResettableRESTMapper
	namespace string
}

func newGetter(cfg *rest.Config, namespace string) (*getter, error) {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("making a client of the cluster at %s: %w", cfg.Host, err)
	}
	cached := memory.NewMemCacheClient(client)
	return &getter{
		config:    cfg,
		discovery: cached,
		mapper:    restmapper.NewDeferredDiscoveryRESTMapper(cached),
		namespace: namespace,
	}, nil
}

// validatesFields tells whether an API server knows the parameter fieldValidation for good: since 1.27.
func validatesFields(server *version.Info) bool {
	v, err := utilversion.ParseGeneric(server.GitVersion)
	return err == nil && v.AtLeast(utilversion.MajorMinor(1, 27))
}

// ToRESTConfig returns a copy, since kubectl's factory writes to it.
func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

// ToDiscoveryClient implements genericclioptions.RESTClientGetter.
func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.discovery, nil
}

// ToRESTMapper returns a mapper that can be reset, as Helm does once a chart's CRDs are established.
func (g *getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

// ToRawKubeConfigLoader knows the namespace only, which is all that Helm asks it.
func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: api.Context{Namespace: g.namespace}}
	return clientcmd.NewDefaultClientConfig(*api.NewConfig(), overrides)
}
