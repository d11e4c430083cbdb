package nodeimage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// ErrCannotBootstrap means that no root file system can be made of Debian's packages here.
var ErrCannotBootstrap = errors.New("no root file system can be made here")

// bootstrapScript makes a root file system in the folder $rootfs and packs it into $archive. Its arguments are
// debootstrap's. Left out is what belongs to this machine or to the making.
const bootstrapScript = `set -eu
debootstrap --variant=minbase "$@"
cd "$rootfs"
rm -rf etc/hostname etc/machine-id etc/resolv.conf var/cache/apt/archives var/cache/apt/*.bin var/cache/debconf \
  var/lib/apt/lists var/log debootstrap usr/share/doc usr/share/doc-base usr/share/man
mkdir -p var/cache/apt/archives/partial var/cache/debconf var/lib/apt/lists/partial var/log
tar --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf "$archive" .
`

// rootfs returns what the image is laid upon: the user's base, or an archive in the cache that is made first if need be.
func (b *builder) rootfs(ctx context.Context) (found base, cached bool, err error) {
	if b.recipe.base != (base{}) {
		return b.recipe.base, true, nil
	}
	archive := filepath.Join(b.cache, "rootfs-"+suite+"-"+b.recipe.rootfsKey()+".tar")
	switch _, err := os.Stat(archive); {
	case err == nil:
		return base{file: archive}, true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return base{}, false, err
	}
	if err := b.debian.check(); err != nil {
		return base{}, false, fmt.Errorf("%w: %w, or name a local image or root file system with --base", ErrCannotBootstrap, err)
	}
	err = b.inTempDir(func(dir string) error { return b.bootstrap(ctx, dir, archive) })
	return base{file: archive}, false, err
}

// bootstrapper is what makes a root file system of Debian's packages.
type bootstrapper struct {
	// unshare and debootstrap are commands; root is set if this process is root's.
	unshare, debootstrap string
	root                 bool
}

func thisMachine() bootstrapper {
	return bootstrapper{unshare: "unshare", debootstrap: "debootstrap", root: os.Geteuid() == 0}
}

// check says what is missing.
func (d bootstrapper) check() error {
	for _, name := range []string{d.debootstrap, d.unshare} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w (install the packages debootstrap and util-linux)", err)
		}
	}
	if !d.root {
		return errors.New("debootstrap needs root: run this as root")
	}
	return nil
}

// bootstrap makes the archive within dir and moves it to its place once it is complete. debootstrap mounts things and
// starts programs in what it makes: they are in namespaces of their own, and end with them.
func (b *builder) bootstrap(ctx context.Context, dir, archive string) error {
	source, err := findMirror(ctx)
	if err != nil {
		return err
	}
	rootfs, made := filepath.Join(dir, "rootfs"), filepath.Join(dir, "rootfs.tar")
	args := []string{"--mount", "--pid", "--fork", "--kill-child", "--", "/bin/sh", "-c", bootstrapScript, "sh"}
	// What is not signed is never installed.
	args = append(args, "--force-check-gpg", "--include="+strings.ReplaceAll(packages, " ", ","), suite, rootfs)
	if source.site != "" {
		args = append(args, source.site)
	}
	var last atomic.Value
	_, err = command{
		name: b.debian.unshare, args: args, dir: dir, said: func(line string) { last.Store(strings.TrimPrefix(line, "I: ")) },
		report: func() {
			if line, ok := last.Load().(string); ok {
				b.progress("node image: root file system: " + line)
			}
		},
		env: append(source.env(), "rootfs="+rootfs, "archive="+made, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"),
	}.run(ctx)
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return fmt.Errorf("%w (check that apt's sources can be reached, or use --base)", err)
	}
	return publish(made, archive)
}

// publish moves a file to its place once its content is on disk.
func publish(made, place string) error {
	file, err := os.OpenFile(made, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(made, place)
}

// inTempDir calls do with a journaled folder in the cache, so that what is made there can be renamed.
func (b *builder) inTempDir(do func(dir string) error) (err error) {
	id := journal.DirPrefix + "rootfs-" + strings.ToLower(rand.Text()[:12])
	dir := filepath.Join(b.cache, id)
	entry, err := b.journal.Begin(journal.KindDir, id, map[string]string{journal.DataPath: dir})
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); removeErr != nil {
			err = errors.Join(err, removeErr)
			return
		}
		err = errors.Join(err, entry.Done())
	}()
	if err := os.Mkdir(dir, 0o755); err != nil { // a root file system's folder must be open to all
		return err
	}
	return do(dir)
}
