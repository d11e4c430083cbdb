package nodeimage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

// Programs that run as containers.
const (
	proxyProgram = "kube-proxy"
	dnsProgram   = "coredns"
)

// controlPlane are the programs of the kube binary that kubeadm runs as containers on control planes.
var controlPlane = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// imageNames are the names of the images to be preloaded: of the control plane's, which are one image, of pause, and of the
// add-ons.
type imageNames struct {
	kube, pause []string
	proxy, dns  string
}

// sandboxImage is what containerd runs for each pod, as its configuration has it.
var sandboxImage = regexp.MustCompile(`(?m)^\s*sandbox_image = "([^"]+)"`)

// chooseImages sorts the images that kubeadm wants by what they are made of.
func chooseImages(kubeadm, containerd string) (imageNames, error) {
	var names imageNames
	for line := range strings.Lines(kubeadm) {
		name := strings.TrimSpace(line)
		repository, _, _ := strings.Cut(path.Base(name), ":")
		switch {
		case slices.Contains(controlPlane, repository):
			names.kube = append(names.kube, name)
		case repository == proxyProgram:
			names.proxy = name
		case repository == dnsProgram:
			names.dns = name
		case repository == "pause":
			names.pause = append(names.pause, name)
		}
	}
	if len(names.kube) != len(controlPlane) || names.proxy == "" || names.dns == "" {
		return imageNames{}, fmt.Errorf("kubeadm wants the images %q, which are not one for each of %q, %s and %s",
			strings.Fields(kubeadm), controlPlane, proxyProgram, dnsProgram)
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

// images are made of the binaries of the earlier phases. Their names are those that kubeadm and containerd will ask for.
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
	if _, tag, _ := strings.Cut(path.Base(names.dns), ":"); tag != r.dns.Version {
		return nil, fmt.Errorf("kubeadm wants %s, and cmd/coredns/go.mod has %s of it", names.dns, r.dns.Version)
	}
	l, err := w.layers(ctx, p)
	if err != nil {
		return nil, err
	}
	return []image.Image{
		{Tags: names.kube, Arch: r.arch, Layers: []*image.Layer{l.kube}, Env: []string{"PATH=/usr/local/bin"}},
		{Tags: []string{names.proxy}, Arch: r.arch, Layers: []*image.Layer{l.kube, l.rules}, Env: []string{"PATH=/usr/local/bin:/usr/sbin"}},
		// It drops to no user: kubeadm takes all rights but that to the port from it anyway.
		{Tags: []string{names.dns}, Arch: r.arch, Layers: []*image.Layer{l.dns}, Entrypoint: []string{"/" + dnsProgram}},
		{Tags: names.pause, Arch: r.arch, Layers: []*image.Layer{l.pause}, Entrypoint: []string{"/pause"}, User: "65535:65535"},
	}, nil
}

// layers are what the images consist of.
type layers struct{ kube, rules, dns, pause *image.Layer }

func (w workshop) layers(ctx context.Context, p parts) (l layers, err error) {
	kube := []image.File{{Path: "/usr/local/bin/kube", Source: filepath.Join(p.kube, "kube")}}
	for _, name := range append(slices.Clone(controlPlane), proxyProgram) {
		kube = append(kube, image.File{Path: "/usr/local/bin/" + name, Link: "kube"})
	}
	rules, err := w.ruleTools(ctx)
	if err != nil {
		return layers{}, err
	}
	for _, layer := range []struct {
		to    **image.Layer
		files []image.File
	}{
		{&l.kube, kube},
		{&l.rules, rules},
		{&l.dns, []image.File{{Path: "/" + dnsProgram, Source: filepath.Join(p.dns, dnsProgram)}}},
		{&l.pause, []image.File{{Path: "/pause", Source: filepath.Join(p.programs, pauseProgram)}}},
	} {
		if *layer.to, err = image.NewLayer(layer.files...); err != nil {
			return layers{}, err
		}
	}
	return l, nil
}

// rulesScript packs what kube-proxy writes its rules with, for each of its modes: the programs, the extensions that iptables
// loads by name, and the libraries that either is linked with.
const rulesScript = `set -eu
programs="$(command -v xtables-nft-multi) $(command -v nft)"
extensions=$(ls -d /usr/lib/*/xtables /usr/lib/xtables /usr/lib64/xtables 2>/dev/null || true)
[ "$extensions" ] || { echo "iptables has no extensions in /usr/lib" >&2; exit 1; }
libraries=$(ldd $programs $(find $extensions -type f) | grep -o '/[^ :]*\.so[^ :]* (' | cut -d' ' -f1 | sort -u)
tar --hard-dereference -chf - $programs $libraries $extensions`

// ruleNames are what kube-proxy calls iptables by.
var ruleNames = []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"}

// ruleTools takes the programs that write a node's network rules out of the root file system: they are no static binaries.
func (w workshop) ruleTools(ctx context.Context) ([]image.File, error) {
	packed, err := w.sh(ctx, nil, rulesScript)
	if err != nil {
		return nil, fmt.Errorf("pack the programs that %s needs: %w", proxyProgram, err)
	}
	files, err := unpack(strings.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the programs that %s needs: %w", proxyProgram, err)
	}
	at := slices.IndexFunc(files, func(f image.File) bool { return path.Base(f.Path) == "xtables-nft-multi" })
	if at < 0 {
		return nil, errors.New("the root file system has no xtables-nft-multi")
	}
	for _, name := range ruleNames {
		files = append(files, image.File{Path: "/usr/sbin/" + name, Link: files[at].Path})
	}
	return files, nil
}

// unpack returns the files of a tar archive, which are few and small.
func unpack(r io.Reader) ([]image.File, error) {
	var files []image.File
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		switch header.Typeflag {
		case tar.TypeDir:
			continue
		case tar.TypeReg:
		default: // a link left out would be a file that is missed much later
			return nil, fmt.Errorf("%s is neither a file nor a folder", header.Name)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		files = append(files, image.File{Path: path.Join("/", header.Name), Content: content, Mode: header.FileInfo().Mode() & fs.ModePerm})
	}
}
