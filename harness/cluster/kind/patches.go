package kind

import (
	"encoding/json"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"rehearse.dev/rehearse/harness/cluster/kind/nodeimage"
)

// A paused or dead node has to show while a scenario still runs. Upstream a node is missed after 50 s and its pods are
// evicted 300 s later; here it is missed after 8 s and its pods are evicted 5 s later. Eight renewals of a lease fit into
// that grace, so that a busy machine loses no node by accident.
const (
	nodeGrace  = "8s"
	nodePeriod = "1s"
	toleration = "5"

	// kubeletFaultPatch has kubelets renew their lease every second (a quarter of its duration) and report a change
	// within two, but not repeat what has not changed more often than upstream has them.
	kubeletFaultPatch = `kind: KubeletConfiguration
nodeLeaseDurationSeconds: 4
nodeStatusUpdateFrequency: 2s
nodeStatusReportFrequency: 5m
`
)

// The controller manager decides when workers can join: it signs the token that kubeadm looks for every five seconds.
// Upstream it comes to that late: its first try to lead is refused, as there are no roles yet, the next one comes 2 to 4.4 s
// after that, and making its controllers takes about 90 requests, at 20 a second.
const (
	electionRetry = "500ms"
	controllerQPS = "200"
)

// Patches for what is different about a machine or an image.
const (
	// cgroup1Patch lets a kubelet start on control groups of version 1.
	cgroup1Patch = `kind: KubeletConfiguration
failCgroupV1: false
`
	// oomScorePatch keeps containerd from lowering OOM scores, which fails where CAP_SYS_RESOURCE is withheld.
	oomScorePatch = `[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
`
	// ownImagePatch has kubeadm change its CoreDNS as our node image says, so that names resolve soon.
	ownImagePatch = `kind: InitConfiguration
patches:
  directory: ` + nodeimage.PatchFolder + `
`
)

// faultPatches are part of every cluster's config.
func faultPatches() []string { return []string{kubeletFaultPatch} }

// untaintPatches make control-plane nodes take pods, so that a cluster of three has three nodes for a scenario, as an
// embedded one does.
func untaintPatches() []string {
	return []string{
		"kind: InitConfiguration\nnodeRegistration:\n  taints: []\n",
		"kind: JoinConfiguration\nnodeRegistration:\n  taints: []\n",
	}
}

// componentArg is a flag of a control-plane component.
type componentArg struct{ component, name, value string }

// faultArgs are those flags as patches of kubeadm's configuration, except what the user's patches mention. In v1beta4
// flags are a list, which a merge patch would replace as a whole.
func faultArgs(user string) []v1alpha4.PatchJSON6902 {
	var asMap, asList []operation
	for _, arg := range []componentArg{
		{"apiServer", "default-not-ready-toleration-seconds", toleration},
		{"apiServer", "default-unreachable-toleration-seconds", toleration},
		{"controllerManager", "node-monitor-period", nodePeriod},
		{"controllerManager", "node-monitor-grace-period", nodeGrace},
		{"controllerManager", "leader-elect-retry-period", electionRetry},
		{"controllerManager", "kube-api-qps", controllerQPS},
		{"controllerManager", "kube-api-burst", controllerQPS},
	} {
		if strings.Contains(user, arg.name) {
			continue
		}
		path := "/" + arg.component + "/extraArgs/"
		asMap = append(asMap, operation{Op: "add", Path: path + arg.name, Value: arg.value})
		asList = append(asList, operation{Op: "add", Path: path + "-", Value: map[string]string{"name": arg.name, "value": arg.value}})
	}
	if len(asMap) == 0 {
		return nil
	}
	return []v1alpha4.PatchJSON6902{patch6902("v1beta3", asMap), patch6902("v1beta4", asList)}
}

// operation is one step of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func patch6902(version string, operations []operation) v1alpha4.PatchJSON6902 {
	text, _ := json.Marshal(operations) // strings only, which cannot fail
	return v1alpha4.PatchJSON6902{Group: "kubeadm.k8s.io", Version: version, Kind: "ClusterConfiguration", Patch: string(text)}
}
