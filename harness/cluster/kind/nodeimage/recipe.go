package nodeimage

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

//go:generate go run ../../gobuild/pack ../../../../cmd/node node.txtar

// nodeSources are the sources of the pause program, with the versions of containerd and the CNI plugins.
//
//go:embed node.txtar
var nodeSources []byte

// setupScript is run in the image's root file system once all files are there.
//
//go:embed setup.sh
var setupScript string

// recipeVersion counts changes of this package that change the image and of which the recipe's inputs tell nothing.
const recipeVersion = "1"

// What a root file system is made of: a suite of Debian's, and the packages that kind's nodes need.
const (
	suite    = "bookworm"
	packages = "systemd conntrack iptables nftables iproute2 ethtool util-linux mount kmod libseccomp2 pigz e2fsprogs " +
		"bash ca-certificates curl jq procps runc"
)

// The module that kind's own node files come from, and its checksum. A test holds both against go.mod and go.sum.
const (
	kindModule  = "sigs.k8s.io/kind"
	kindVersion = "v0.33.0"
	kindSum     = "h1:AjvDv3vOygb/VKLVQW87lfktIBzkxR8Ump9DjxC8+Lk="
)

// recipe is everything that decides what the image holds.
type recipe struct {
	arch       string
	kube, node gobuild.Program
	// base is set if the root file system is not made of Debian's packages.
	base base
}

func newRecipe(arch string) (recipe, error) {
	kube, err := embedded.Kube()
	if err != nil {
		return recipe{}, err
	}
	kube.What, kube.Tags = "Kubernetes "+kube.Version+" with kubelet, kubeadm and kubectl", []string{"node"}
	kube.OS, kube.Arch, kube.Else = "linux", arch, ""
	containerd, err := gobuild.RequiredVersion(nodeSources, "github.com/containerd/containerd/v2")
	if err != nil {
		return recipe{}, err
	}
	node := gobuild.Program{
		Name:    "node",
		What:    "containerd " + containerd + " and CNI plugins",
		Version: containerd,
		Sources: nodeSources,
		// The tool lines of its go.mod are the list of what else a node runs.
		Packages: []string{".", "tool"},
		// As kind builds it: snapshotters that no node uses.
		Tags:    []string{"no_aufs", "no_zfs", "no_btrfs", "no_devmapper"},
		LDFlags: "-s -w -X github.com/containerd/containerd/v2/version.Version=" + containerd,
		OS:      "linux",
		Arch:    arch,
		Expect:  "once for this version; a minute or two on 2 cores if nothing of it was compiled before",
	}
	return recipe{arch: arch, kube: kube, node: node}, nil
}

// key names the recipe; images carry it as a label.
func (r recipe) key() string {
	return hash(
		recipeVersion, r.arch, r.rootfsKey(), kindVersion, setupScript, importScript, containerdExtra, cniTemplate, storageClass, cniNote,
		inputs(r.kube), inputs(r.node),
	)
}

// rootfsKey names the root file system.
func (r recipe) rootfsKey() string {
	if r.base.key != "" {
		return r.base.key
	}
	return hash(suite, packages, bootstrapScript, r.arch)
}

func inputs(p gobuild.Program) string {
	return hash(string(p.Sources), strings.Join(p.Packages, " "), strings.Join(p.Tags, " "), p.LDFlags)
}

// hash of several texts, which are kept apart.
func hash(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d %s\n", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
