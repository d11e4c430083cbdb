package nodeimage

import (
	"context"
	"io"

	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

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
	w.progress("node image: image: preloading the images of control plane and add-ons")
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
