package nodeimage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/cluster/internal/image"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// removal bounds how long what a build made in the engine may take to be removed.
const removal = time.Minute

// assemble makes the image: base, files, set-up and the control plane's images, in a container that is then committed.
func (b *builder) assemble(ctx context.Context, p parts) (err error) {
	w := workshop{engine: b.engine, id: journal.DirPrefix + "node-image-" + strings.ToLower(rand.Text()[:12]), progress: b.progress}
	entry, err := b.journal.Begin(KindWorkshop, w.id, map[string]string{dataEngine: b.engine.command})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removal)
		defer cancel()
		if removeErr := w.remove(ctx); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("%w (rehearse gc tries again)", removeErr))
			return
		}
		err = errors.Join(err, entry.Done())
	}()
	if err := w.open(ctx, p.base); err != nil {
		return err
	}
	if err := w.fill(ctx, p, b.recipe.kube.Version); err != nil {
		return err
	}
	if err := w.preload(ctx, p, b.recipe); err != nil {
		return err
	}
	if err := w.commit(ctx, b.tag, b.recipe.key()); err != nil {
		return err
	}
	b.forget(ctx)
	return nil
}

// forget removes images of earlier recipes that have lost their tag to a newer one. The engine keeps those that a cluster
// still runs on; a later build removes them. An old image that stays is no reason for this build to fail.
func (b *builder) forget(ctx context.Context) {
	_, err := b.engine.run(ctx, "image", "prune", "--force", "--filter", "label="+RecipeLabel)
	if err != nil {
		b.progress("node image: old images stay: " + err.Error())
	}
}

// workshop is a container in which an image is made. Its name is that of its record in the journal.
type workshop struct {
	engine   engine
	id       string
	progress func(string)
}

// baseTag names the base while the image is made.
func (w workshop) baseTag() string { return "rehearse.dev/node-base:" + w.id }

// open starts the container on the base.
func (w workshop) open(ctx context.Context, b base) error {
	from := b.image
	if b.file != "" {
		w.progress("node image: image: loading the root file system")
		file, err := os.Open(b.file)
		if err != nil {
			return err
		}
		_, err = w.engine.feed(ctx, file, "import", "-", w.baseTag())
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("%s: %w", b.file, err)
		}
		from = w.baseTag()
	}
	// containerd unpacks nothing here, so the container needs no privileges; nor does it need a network. The image
	// inherits the signal that systemd ends on.
	_, err := w.engine.run(ctx, "run", "--detach", "--name="+w.id, "--network=none", "--security-opt=seccomp=unconfined",
		"--stop-signal=SIGRTMIN+3", "--entrypoint=sleep", from, "infinity")
	if err != nil {
		return fmt.Errorf("start a container on the base (which must be a root file system of Linux): %w", err)
	}
	return nil
}

// needed are programs of the base without which no node boots.
var needed = strings.Fields("systemctl conntrack iptables xtables-nft-multi nft ip ethtool mount modprobe runc jq pgrep bash find tar ldd")

// fill copies the node's files into the container and sets them up.
func (w workshop) fill(ctx context.Context, p parts, kubernetes string) error {
	lacking, err := w.sh(ctx, nil, `for p; do command -v "$p" >/dev/null || echo "$p"; done`, needed...)
	if err != nil {
		return err
	}
	if lacking != "" {
		return fmt.Errorf("the base lacks the programs %s (install the packages %s there)",
			strings.Join(strings.Fields(lacking), ", "), strings.ReplaceAll(packages, " ", ", "))
	}
	w.progress("node image: image: adding the node's files")
	files, err := nodeFiles(p, kubernetes)
	if err != nil {
		return err
	}
	layer, err := image.NewLayer(files...)
	if err != nil {
		return err
	}
	err = pipe(layer.WriteTar, func(r io.Reader) error {
		_, err := w.engine.feed(ctx, r, "cp", "-", w.id+":/")
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.sh(ctx, nil, setupScript)
	return err
}

// commit makes an image of the container.
func (w workshop) commit(ctx context.Context, tag, key string) error {
	w.progress("node image: image: storing " + tag)
	args := []string{"commit"}
	for _, change := range []string{
		`ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]`,
		"ENV container=docker",             // tells systemd where it is
		"LABEL " + RecipeLabel + "=" + key, // one each: podman takes the rest of the line for the first one's value
		"LABEL " + FormatLabel + "=" + Format,
	} {
		args = append(args, "--change", change)
	}
	_, err := w.engine.run(ctx, append(args, w.id, tag)...)
	return err
}

// sh runs a script in the container.
func (w workshop) sh(ctx context.Context, stdin io.Reader, script string, args ...string) (string, error) {
	all := []string{"exec", w.id, "sh", "-c", script, "sh"}
	if stdin != nil {
		all = append([]string{"exec", "--interactive"}, all[1:]...)
	}
	return w.engine.feed(ctx, stdin, append(all, args...)...)
}

// remove ends the container and frees the base's name. Both may be gone, or never have been.
func (w workshop) remove(ctx context.Context) error {
	_, containerErr := w.engine.run(ctx, "rm", "--force", "--volumes", w.id)
	if missing(containerErr) {
		containerErr = nil
	}
	_, baseErr := w.engine.run(ctx, "image", "rm", w.baseTag())
	if missing(baseErr) {
		baseErr = nil
	}
	return errors.Join(containerErr, baseErr)
}

// pipe lets one function read what another writes, and returns the first reason why that failed.
func pipe(write func(io.Writer) error, read func(io.Reader) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		_ = w.CloseWithError(err) // it never fails
		written <- err
	}()
	readErr := read(r)
	_ = r.CloseWithError(errors.Join(readErr, io.ErrClosedPipe)) // so that the writer ends
	if err := <-written; err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return readErr
}
