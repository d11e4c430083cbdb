package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"rehearse.dev/rehearse/harness/cluster/kind/nodeimage"
)

// KubeVersion is the Kubernetes version of OwnImage.
const KubeVersion = "v1.36.3"

// OwnImage is the node image that rehearse kind-image build makes; a test holds the two together. It is preferred where
// the engine has it.
const OwnImage = ownRepository + ":" + KubeVersion

// ownRepository is where no registry is asked for: images of that name are made here.
const ownRepository = "rehearse.dev/node"

// ErrOldImage means that a node image was made for other cluster configs than those made here.
var ErrOldImage = errors.New("a node image that another version of rehearse made")

// recipeLabel is on every node image that rehearse kind-image build makes, whatever its name.
const recipeLabel = nodeimage.RecipeLabel

// versionTag is the Kubernetes version in an image's tag.
var versionTag = regexp.MustCompile(`:(v[0-9]+\.[0-9]+\.[0-9]+[^@]*)`)

// ErrVersion means that the name of a node image does not tell its Kubernetes version.
var ErrVersion = errors.New("no Kubernetes version in the node image's tag")

// KubeVersion is the Kubernetes version of the clusters to be made, as the node image's tag has it. Once there is a
// cluster, its Version tells for certain.
func (p *Provider) KubeVersion(ctx context.Context) (string, error) {
	image := p.image
	if image == "" && p.config != nil && len(p.config.Nodes) > 0 {
		image = p.config.Nodes[0].Image
	}
	if image == "" {
		e, _, err := detect(ctx)
		if err != nil {
			return "", err
		}
		chosen, err := e.defaultImage(ctx)
		if err != nil {
			return "", err
		}
		image = chosen.name
	}
	found := versionTag.FindStringSubmatch(image)
	if found == nil {
		return "", fmt.Errorf("%w: %s", ErrVersion, image)
	}
	return found[1], nil
}

// nodeImage is an image that nodes can run.
type nodeImage struct {
	name string
	// ours is set if rehearse kind-image build made it, and old if it did so in another version.
	ours, old bool
}

func newNodeImage(name string, labels map[string]string) nodeImage {
	ours := labels[recipeLabel] != ""
	return nodeImage{name: name, ours: ours, old: ours && labels[nodeimage.FormatLabel] != nodeimage.Format}
}

// check tells whether a cluster can be made of the image: one that lacks add-ons would be waited for in vain.
func (i nodeImage) check() error {
	if !i.old {
		return nil
	}
	remedy := "rehearse kind-image build"
	if i.name != OwnImage {
		remedy += " --tag " + i.name
	}
	return fmt.Errorf("%w: %s (%s makes it anew)", ErrOldImage, i.name, remedy)
}

// defaultImage is OwnImage if the engine has it, else the one that kind names.
func (e engine) defaultImage(ctx context.Context) (nodeImage, error) {
	labels, present := e.imageLabels(ctx, OwnImage)
	if err := ctx.Err(); err != nil {
		return nodeImage{}, fmt.Errorf("look for node image %s: %w", OwnImage, context.Cause(ctx))
	}
	if present {
		return newNodeImage(OwnImage, labels), nil
	}
	return nodeImage{name: defaults.Image}, nil
}

// ensureImage pulls an image that the engine does not have, here and not in kind, where it could not be interrupted.
func (e engine) ensureImage(ctx context.Context, name string, progress func(string)) (nodeImage, error) {
	labels, present := e.imageLabels(ctx, name)
	if present {
		return newNodeImage(name, labels), nil
	}
	if strings.HasPrefix(name, ownRepository+":") {
		return nodeImage{}, fmt.Errorf("node image %s is not here (rehearse kind-image build makes it)", name)
	}
	short, _, _ := strings.Cut(name, "@")
	progress("pulling node image " + short)
	if _, err := e.run(ctx, "pull", name); err != nil {
		return nodeImage{}, fmt.Errorf("pull node image %s: %w (no registry at hand? rehearse kind-image build makes %s without one)", short, err, OwnImage)
	}
	labels, _ = e.imageLabels(ctx, name)
	return newNodeImage(name, labels), nil
}

// imageLabels returns the labels of an image that the engine has.
func (e engine) imageLabels(ctx context.Context, name string) (labels map[string]string, present bool) {
	out, err := e.run(ctx, "image", "inspect", "--format", "{{json .Config.Labels}}", name)
	if err != nil {
		return nil, false
	}
	if err := json.Unmarshal([]byte(out), &labels); err != nil {
		return nil, true // an engine that prints no labels has none of ours
	}
	return labels, true
}
