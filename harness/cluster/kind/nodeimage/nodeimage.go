// Package nodeimage builds a node image for kind where no container registry can be reached: its root file system from
// Debian's packages or from an image that is there, Kubernetes, containerd and the CNI plugins from Go modules.
package nodeimage

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/gobuild"
	"rehearse.dev/rehearse/harness/cluster/internal/filelock"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// RecipeLabel is the image's label that names what it was made of. An image whose label is another one is out of date.
const RecipeLabel = "rehearse.dev/recipe"

// FormatLabel is the label that says for which configuration of a cluster an image is made: for Format, if it was made
// by this version of the harness.
const (
	FormatLabel = "rehearse.dev/node-format"
	// Format 2 has images of kube-proxy and CoreDNS, and PatchFolder.
	Format = "2"
)

// PatchFolder is where in the image kubeadm finds patches.
const PatchFolder = "/kind/patches"

// Options say what to build.
type Options struct {
	// Engine is the command of the container engine that is to have the image: docker, podman; empty for docker.
	Engine string
	// Tag names the image; empty stands for DefaultTag.
	Tag string
	// Base is a local image, or a file that holds a root file system as a tar archive, to be used instead of Debian's
	// packages. It must hold the programs that a node needs.
	Base string
	// Progress receives a line for each phase and every few seconds; nil discards them.
	Progress func(line string)
	// StateRoot is where the journal is; empty stands for the default place.
	StateRoot string
}

// Result says what was built.
type Result struct {
	// Tag names the image in the container engine, and ID is its content's.
	Tag string `json:"tag"`
	ID  string `json:"id"`
	// Kubernetes is its version.
	Kubernetes string `json:"kubernetes"`
	// Recipe is the value of RecipeLabel.
	Recipe string `json:"recipe"`
	// Phases are in the order in which they were run.
	Phases []Phase `json:"phases"`
	// Took is the whole time.
	Took time.Duration `json:"tookNs"`
}

// Phase is a part of a build whose product is kept.
type Phase struct {
	Name string `json:"name"`
	// Cached is set if the product was there already.
	Cached bool          `json:"cached"`
	Took   time.Duration `json:"tookNs"`
}

// DefaultTag is the name of the node image that is built here and used by default.
func DefaultTag() string {
	version, err := embedded.KubeVersion()
	if err != nil {
		version = "unknown" // a test holds that it never is
	}
	return "rehearse.dev/node:" + version
}

// Ensure returns the tag of a current image, after building it if need be. That takes minutes the first time.
func Ensure(ctx context.Context, opts Options) (tag string, err error) {
	result, err := Build(ctx, opts)
	return result.Tag, err
}

// Build builds the image, as far as it and its parts are not there already. One process of this machine does so at a time.
func Build(ctx context.Context, opts Options) (Result, error) {
	b, err := newBuilder(ctx, opts)
	if err != nil {
		return Result{}, fmt.Errorf("build the node image: %w", err)
	}
	unlock, err := filelock.Lock(ctx, filepath.Join(b.cache, "build.lock"), func() {
		b.progress("node image: another process is building one; waiting for it")
	})
	if err != nil {
		return Result{}, fmt.Errorf("build the node image: %w", err)
	}
	defer unlock()
	result, err := b.build(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("build the node image: %w", err)
	}
	return result, nil
}

// builder is one build.
type builder struct {
	engine   engine
	recipe   recipe
	tag      string
	cache    string
	journal  *journal.Journal
	gobuild  *gobuild.Builder
	debian   bootstrapper
	progress func(string)
	began    time.Time
	phases   []Phase
}

// newBuilder checks what can be checked before minutes are spent.
func newBuilder(ctx context.Context, opts Options) (*builder, error) {
	b := &builder{engine: engine{command: cmp.Or(opts.Engine, "docker")}, tag: opts.Tag, debian: thisMachine(), progress: opts.Progress, began: time.Now()}
	if b.progress == nil {
		b.progress = func(string) {}
	}
	if b.tag == "" {
		b.tag = DefaultTag()
	}
	if name := filepath.Base(b.engine.command); name != "docker" && name != "podman" {
		return nil, fmt.Errorf("%w that images can be made with: %s cannot do all that it takes (KIND_EXPERIMENTAL_PROVIDER=docker or podman chooses another)", ErrNoEngine, name)
	}
	arch, err := b.engine.arch(ctx)
	if err != nil {
		return nil, err
	}
	if b.recipe, err = newRecipe(arch); err != nil {
		return nil, err
	}
	if opts.Base != "" {
		if b.recipe.base, err = b.engine.findBase(ctx, opts.Base); err != nil {
			return nil, err
		}
	}
	root, err := cachedir.Root()
	if err != nil {
		return nil, err
	}
	b.cache = filepath.Join(root, "node-image")
	if err := mkdirAll(b.cache); err != nil {
		return nil, err
	}
	if b.journal, err = journal.Open(opts.StateRoot); err != nil {
		return nil, err
	}
	b.gobuild, err = gobuild.New(opts.StateRoot, b.progress)
	return b, err
}

// build runs the phases. Each leaves a product that the next run finds, so that an interrupted build goes on.
func (b *builder) build(ctx context.Context) (Result, error) {
	key := b.recipe.key()
	current, err := b.engine.label(ctx, b.tag, RecipeLabel)
	if err != nil {
		return Result{}, err
	}
	if current == key {
		b.progress(fmt.Sprintf("node image: %s is current, nothing to build", b.tag))
		b.phases = append(b.phases, Phase{Name: "image", Cached: true, Took: time.Since(b.began)})
		return b.result(ctx, key)
	}
	var p parts
	for _, phase := range b.plan(&p) {
		if err := b.run(ctx, phase); err != nil {
			return Result{}, fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return b.result(ctx, key)
}

func (b *builder) result(ctx context.Context, key string) (Result, error) {
	id, err := b.engine.imageID(ctx, b.tag)
	return Result{
		Tag: b.tag, ID: id, Kubernetes: b.recipe.kube.Version, Recipe: key, Phases: b.phases, Took: time.Since(b.began),
	}, err
}
