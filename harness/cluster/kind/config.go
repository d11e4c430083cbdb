package kind

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

// ErrConfig means that a kind config is wrong, or asks for other nodes than are wanted.
var ErrConfig = errors.New("unusable kind config")

// host is what of the machine matters to a cluster's config.
type host struct {
	// cgroup1 is set if it has control groups of version 1.
	cgroup1 bool
	// restricted is set if even privileged containers may not lower the score by which the kernel picks what to kill.
	restricted bool
}

// settings is what a cluster's config is compiled from.
type settings struct {
	// name is the cluster's.
	name string
	// user is the config that the user gave; nil for none. It is not changed.
	user *v1alpha4.Cluster
	// nodes is how many nodes are wanted; zero leaves it to the config.
	nodes int
	// image is what nodes run that the config names no image for; override puts it on all.
	image    string
	override bool
	// ours is set if the image comes from rehearse kind-image build, and so has another network than kind's own.
	ours bool
	host host
}

// compile merges the user's config with what is needed. The notes say what was added because of the machine or the
// image.
func (s settings) compile() (config *v1alpha4.Cluster, notes []string, err error) {
	config = &v1alpha4.Cluster{}
	if s.user != nil {
		config = s.user.DeepCopy()
	}
	config.TypeMeta = v1alpha4.TypeMeta{APIVersion: ConfigVersion, Kind: configKind}
	config.Name = s.name
	if config.Nodes, err = s.planNodes(config.Nodes); err != nil {
		return nil, nil, err
	}
	for i := range config.Nodes {
		if s.override || config.Nodes[i].Image == "" {
			config.Nodes[i].Image = s.image
		}
	}
	patches := faultPatches()
	if len(config.Nodes) > 1 { // kind itself sees to it for one
		patches = append(patches, untaintPatches()...)
	}
	if s.ours {
		notes = append(notes, "the node image brings no kindnet: pods get the image's own network")
		config.Networking.DisableDefaultCNI = true
		patches = append(patches, ownImagePatch)
	}
	if s.host.cgroup1 {
		notes = append(notes, "control groups of version 1 here: kubelets are told to bear it (failCgroupV1: false)")
		patches = append(patches, cgroup1Patch)
	}
	if s.host.cgroup1 || s.host.restricted {
		notes = append(notes, "containers may not lower their OOM score here: containerd is told so (restrict_oom_score_adj)")
		config.ContainerdConfigPatches = slices.Insert(config.ContainerdConfigPatches, 0, oomScorePatch)
	}
	config.KubeadmConfigPatchesJSON6902 = append(faultArgs(userPatches(config)), config.KubeadmConfigPatchesJSON6902...)
	// The user's patches come last and so win.
	config.KubeadmConfigPatches = append(patches, config.KubeadmConfigPatches...)
	return config, notes, nil
}

// planNodes makes as many nodes as are wanted of those that the config lists.
func (s settings) planNodes(listed []v1alpha4.Node) ([]v1alpha4.Node, error) {
	want := s.nodes
	if want == 0 {
		want = max(len(listed), 1)
	}
	if want < len(listed) {
		return nil, fmt.Errorf("%w: it lists %d nodes, and %d are wanted: let one of them follow the other", ErrConfig, len(listed), want)
	}
	isControlPlane := func(n v1alpha4.Node) bool { return n.Role == v1alpha4.ControlPlaneRole || n.Role == "" }
	if !slices.ContainsFunc(listed, isControlPlane) {
		listed = slices.Insert(listed, 0, v1alpha4.Node{Role: v1alpha4.ControlPlaneRole})
	}
	for len(listed) < want {
		listed = append(listed, v1alpha4.Node{Role: v1alpha4.WorkerRole})
	}
	if len(listed) > want {
		return nil, fmt.Errorf("%w: it lists no control-plane node, and only %d nodes are wanted", ErrConfig, want)
	}
	return listed, nil
}

// userPatches is the text of all patches that the user gave.
func userPatches(config *v1alpha4.Cluster) string {
	all := slices.Clone(config.KubeadmConfigPatches)
	for _, p := range config.KubeadmConfigPatchesJSON6902 {
		all = append(all, p.Patch)
	}
	for _, n := range config.Nodes {
		all = append(all, n.KubeadmConfigPatches...)
		for _, p := range n.KubeadmConfigPatchesJSON6902 {
			all = append(all, p.Patch)
		}
	}
	return strings.Join(all, "\n")
}

// images are the node images that the config, once compiled, will name.
func (s settings) images() ([]string, error) {
	config, _, err := s.compile()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, n := range config.Nodes {
		all = append(all, n.Image)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
