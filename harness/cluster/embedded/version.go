package embedded

import (
	"cmp"
	"debug/buildinfo"
	"os"
	"strings"
)

// kubeModule is the module that a control plane is made of.
const kubeModule = "k8s.io/kubernetes"

// KubeVersion is the Kubernetes version of the clusters to be made, as the build information of the binary that is named for
// them has it. Of a binary that tells nothing it is that of the control plane that is built here: the boot tells for certain.
func (p *Provider) KubeVersion() (string, error) {
	if path := cmp.Or(p.kube, os.Getenv(EnvKubeBinary)); path != "" {
		if version := versionIn(path); version != "" {
			return version, nil
		}
	}
	return KubeVersion()
}

// versionIn is the version of Kubernetes that a program is made of; empty if it does not tell, as one that was built beside a
// checkout.
func versionIn(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path != kubeModule {
			continue
		}
		if m.Replace != nil && released(m.Replace.Version) {
			return m.Replace.Version
		}
		if released(m.Version) {
			return m.Version
		}
	}
	return ""
}

// released tells a version of Kubernetes from what the build information has for a checkout: (devel), v0.0.0.
func released(version string) bool { return strings.HasPrefix(version, "v1.") }
