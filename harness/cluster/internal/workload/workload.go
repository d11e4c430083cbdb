// Package workload makes the image that fixture charts run on real nodes, of the program cmd/workload: with no container
// engine and no registry.
package workload

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

//go:generate go run ../../gobuild/pack ../../../../cmd/workload workload.txtar

// sources are those of cmd/workload. They travel as text, as other programs that are built on demand do: one binary of
// rehearse makes images for any processor.
//
//go:embed workload.txtar
var sources []byte

// Tag is what the image is called in the fixture charts.
const Tag = "rehearse.dev/workload:dev"

// nobody is who it runs as unless a pod says otherwise. The image has no user database, so the number has no name.
const nobody = "65532"

// Archive returns the path of an archive in the cache that holds the image for this machine's processor. It is made first if
// it is not there; progress, unless nil, receives a line every few seconds.
func Archive(ctx context.Context, progress func(string)) (path string, err error) {
	b, err := gobuild.New("", progress)
	if err != nil {
		return "", err
	}
	return archive(ctx, b, runtime.GOARCH)
}

func archive(ctx context.Context, b *gobuild.Builder, arch string) (string, error) {
	dir, err := b.Ensure(ctx, program(arch))
	if err != nil {
		return "", err
	}
	made, err := imageOf(filepath.Join(dir, "workload"), arch)
	if err != nil {
		return "", err
	}
	id, err := made.ID()
	if err != nil {
		return "", err
	}
	// Named after its content: an image that is made otherwise of the same program is another file.
	path := filepath.Join(dir, "image-"+strings.TrimPrefix(id, "sha256:")[:12]+".tar")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	// The same image is the same bytes, so it does not matter who is faster.
	err = b.InTempDir(filepath.Dir(dir), func(tmp string) error {
		built := filepath.Join(tmp, "image.tar")
		if err := image.Save(built, []image.Image{made}); err != nil {
			return err
		}
		return os.Rename(built, path)
	})
	if err != nil {
		return "", fmt.Errorf("make the image of workload: %w", err)
	}
	return path, nil
}

func program(arch string) gobuild.Program {
	return gobuild.Program{
		Name:    "workload",
		What:    "the program that fixture charts run",
		Version: "dev",
		Sources: sources,
		LDFlags: "-s -w",
		OS:      "linux",
		Arch:    arch,
		Expect:  "once for this version; some 20 seconds on 2 cores if nothing of it was compiled before",
		Else:    "keep an image of your own called " + Tag + " and name it in cluster.kind.images",
	}
}

func imageOf(binary, arch string) (image.Image, error) {
	layer, err := image.NewLayer(image.File{Path: "/workload", Source: binary, Mode: 0o555})
	if err != nil {
		return image.Image{}, err
	}
	return image.Image{
		Tags:       []string{Tag},
		Arch:       arch,
		Layers:     []*image.Layer{layer},
		Entrypoint: []string{"/workload"},
		Cmd:        []string{"serve"},
		User:       nobody,
	}, nil
}
