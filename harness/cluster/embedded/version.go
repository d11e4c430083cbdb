package embedded

import "rehearse.dev/rehearse/harness/cluster/embedded/internal/kubearchive"

// KubeVersion is the version of the control plane that is built here, for example v1.36.3. A binary that
// REHEARSE_KUBE_BIN names may be of another one: Cluster.Version tells that.
func KubeVersion() (string, error) { return kubearchive.Version(kubeSources) }
