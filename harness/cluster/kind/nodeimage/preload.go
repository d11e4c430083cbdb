package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

// controlPlane are the programs of the kube binary that kubeadm runs as containers.
var controlPlane = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// importScript starts containerd in the container, stores the images of its input, and ends it again. They are unpacked
// only in a node: where an image is made, the engine's file system cannot hold containerd's.
const importScript = `set -eu
containerd >/tmp/containerd.log 2>&1 &
for try in $(seq 100); do
  if ctr version >/dev/null 2>&1; then ready=1; break; fi
  sleep 0.1
done
[ "${ready:-}" ] || { tail -n 5 /tmp/containerd.log >&2; exit 1; }
ctr -n k8s.io images import --label=io.cri-containerd.pinned=pinned --all-platforms --no-unpack - >&2
kill $!
wait $! || true
rm -rf /tmp/containerd.log /run/containerd`

// preload stores the images that a node needs before it can pull any.
func (w workshop) preload(ctx context.Context, p parts, r recipe) error {
	w.progress("node image: image: preloading the control plane's images")
	images, err := w.images(ctx, p, r)
	if err != nil {
		return err
	}
	return pipe(
		func(to io.Writer) error { return image.Write(to, images) },
		func(from io.Reader) error {
			_, err := w.sh(ctx, from, importScript)
			return err
		},
	)
}

// images are made of the same binary as the node's programs. Their names are those that kubeadm and containerd will ask for.
func (w workshop) images(ctx context.Context, p parts, r recipe) ([]image.Image, error) {
	wanted, err := w.engine.run(ctx, "exec", w.id, "kubeadm", "config", "images", "list", "--kubernetes-version="+r.kube.Version)
	if err != nil {
		return nil, err
	}
	config, err := w.engine.run(ctx, "exec", w.id, "cat", "/etc/containerd/config.toml")
	if err != nil {
		return nil, err
	}
	names, err := chooseImages(wanted, config)
	if err != nil {
		return nil, err
	}
	files := []image.File{{Path: "/usr/local/bin/kube", Source: filepath.Join(p.kube, "kube")}}
	for _, name := range controlPlane {
		files = append(files, image.File{Path: "/usr/local/bin/" + name, Link: "kube"})
	}
	kube, err := image.NewLayer(files...)
	if err != nil {
		return nil, err
	}
	pause, err := image.NewLayer(image.File{Path: "/pause", Source: filepath.Join(p.programs, pauseProgram)})
	if err != nil {
		return nil, err
	}
	return []image.Image{
		{Tags: names.kube, Arch: r.arch, Layers: []*image.Layer{kube}, Env: []string{"PATH=/usr/local/bin"}},
		{Tags: names.pause, Arch: r.arch, Layers: []*image.Layer{pause}, Entrypoint: []string{"/pause"}, User: "65535:65535"},
	}, nil
}

// imageNames are the names of the images to be preloaded: of the control plane's, which are one image, and of pause.
type imageNames struct{ kube, pause []string }

// sandboxImage is what containerd runs for each pod, as its configuration has it.
var sandboxImage = regexp.MustCompile(`(?m)^\s*sandbox_image = "([^"]+)"`)

// chooseImages takes those of the images that kubeadm wants which can be made of our binaries: the add-ons' are left out.
func chooseImages(kubeadm, containerd string) (imageNames, error) {
	var names imageNames
	for line := range strings.Lines(kubeadm) {
		name := strings.TrimSpace(line)
		repository, _, _ := strings.Cut(path.Base(name), ":")
		switch {
		case slices.Contains(controlPlane, repository):
			names.kube = append(names.kube, name)
		case repository == "pause":
			names.pause = append(names.pause, name)
		}
	}
	if len(names.kube) != len(controlPlane) {
		return imageNames{}, fmt.Errorf("kubeadm wants the images %q, which are not one for each of %q", names.kube, controlPlane)
	}
	sandbox := sandboxImage.FindStringSubmatch(containerd)
	if sandbox == nil {
		return imageNames{}, errors.New("kind's configuration of containerd names no sandbox_image")
	}
	if !slices.Contains(names.pause, sandbox[1]) {
		names.pause = append(names.pause, sandbox[1])
	}
	return names, nil
}
