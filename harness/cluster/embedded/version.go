package embedded

import (
	"cmp"
	"debug/buildinfo"
	"os"
	"runtime/debug"
	"slices"
)

// kubeModule is the module that a control plane is made of.
const kubeModule = "k8s.io/kubernetes"

// KubeVersion is the Kubernetes version of the clusters to be made, as the build information of the binary that is named for
// them has it. Of a binary that tells nothing it is that of the control plane that is built here: the boot tells for certain.
func (p *Provider) KubeVersion() (string, error) {
	if path := cmp.Or(p.kube, os.Getenv(EnvKubeBinary)); path != "" {
		if info, err := buildinfo.ReadFile(path); err == nil {
			if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == kubeModule }); i >= 0 {
				return info.Deps[i].Version, nil
			}
		}
	}
	return KubeVersion()
}
