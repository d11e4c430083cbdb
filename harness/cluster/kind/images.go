package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/log"
)

// gather makes or finds the archives of all images that are to be loaded.
func (p *Provider) gather(ctx context.Context, c *Cluster, progress func(string)) ([]string, error) {
	var paths []string
	for _, archives := range p.archives {
		more, err := archives(ctx, progress)
		if err != nil {
			return nil, fmt.Errorf("images for the nodes: %w", err)
		}
		paths = append(paths, more...)
	}
	if len(p.local) == 0 {
		return paths, nil
	}
	path := filepath.Join(imagesPath(c.dir), "local.tar")
	if _, err := c.engine.run(ctx, c.engine.save(path, p.local)...); err != nil {
		return nil, fmt.Errorf("images for the nodes: %w (is each of %s in %s?)", err, strings.Join(p.local, ", "), c.engine.binary)
	}
	return append(paths, path), nil
}

// save is the command that writes images into an archive. To podman further names are tags of the first image, unless it
// is told otherwise (podman-save(1)).
func (e engine) save(path string, images []string) []string {
	args := []string{"save", "-o", path}
	if e.binary == "podman" {
		args = append(args, "--multi-image-archive")
	}
	return append(args, images...)
}

// load loads the archives into all nodes, one node beside the other.
func (c *Cluster) load(ctx context.Context, archives func() ([]string, error), progress func(string)) error {
	paths, err := archives()
	if err != nil || len(paths) == 0 {
		return err
	}
	progress(fmt.Sprintf("loading images into the nodes: %s", names(paths)))
	nodes, err := c.engine.provider(log.NoopLogger{}).ListInternalNodes(c.name)
	if err != nil {
		return fmt.Errorf("list the nodes to load images into: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range nodes {
		group.Go(func() error {
			if err := c.awaitContainerd(ctx, node.String()); err != nil {
				return err
			}
			for _, path := range paths {
				if err := loadArchive(ctx, node, path); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// awaitContainerd waits until a node's containerd answers. On workers systemd may not have come
// to it yet when kind starts the control plane.
func (c *Cluster) awaitContainerd(ctx context.Context, node string) error {
	const script = "until [ -S /run/containerd/containerd.sock ]; do sleep 0.3; done"
	if _, err := c.engine.run(ctx, "exec", node, "sh", "-c", script); err != nil {
		return fmt.Errorf("wait for containerd on node %s: %w", node, err)
	}
	return nil
}

func loadArchive(ctx context.Context, node nodes.Node, path string) error {
	err := call(ctx, "load", func() error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		return nodeutils.LoadImageArchive(node, file)
	})
	if err != nil {
		return fmt.Errorf("load images of %s into node %s: %w", path, node, explainCreate(err, ""))
	}
	return nil
}

// names are the files' names, without folders.
func names(paths []string) string {
	var all []string
	for _, path := range paths {
		all = append(all, filepath.Base(path))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func removeContent(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
