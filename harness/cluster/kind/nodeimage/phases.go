package nodeimage

import (
	"context"
	"fmt"
	"time"
)

// phase makes one product, or finds it in the cache.
type phase struct {
	name string
	run  func(ctx context.Context) (cached bool, err error)
}

// parts are what the phases before the last one leave.
type parts struct {
	// kube, programs and dns are folders of binaries, kind is the folder of kind's own sources.
	kube, programs, dns, kind string
	// base is what the image is laid upon.
	base base
}

// plan lists the phases in order. What fails soonest comes first: Debian's packages need root and a mirror.
func (b *builder) plan(p *parts) []phase {
	return []phase{
		{"root file system", func(ctx context.Context) (cached bool, err error) {
			p.base, cached, err = b.rootfs(ctx)
			return cached, err
		}},
		{"kind's files", func(ctx context.Context) (cached bool, err error) {
			p.kind, cached, err = kindFolder(ctx)
			return cached, err
		}},
		{"containerd and CNI plugins", func(ctx context.Context) (cached bool, err error) {
			p.programs, cached, err = b.program(ctx, b.recipe.node)
			return cached, err
		}},
		{"CoreDNS", func(ctx context.Context) (cached bool, err error) {
			p.dns, cached, err = b.program(ctx, b.recipe.dns)
			return cached, err
		}},
		{"kubernetes", func(ctx context.Context) (cached bool, err error) {
			p.kube, cached, err = b.program(ctx, b.recipe.kube)
			return cached, err
		}},
		{"image", func(ctx context.Context) (bool, error) { return false, b.assemble(ctx, *p) }},
	}
}

func (b *builder) run(ctx context.Context, p phase) error {
	began := time.Now()
	cached, err := p.run(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	b.phases = append(b.phases, Phase{Name: p.name, Cached: cached, Took: took})
	how := "done after " + took.Round(100*time.Millisecond).String()
	if cached {
		how = "in the cache"
	}
	b.progress(fmt.Sprintf("node image: %s: %s", p.name, how))
	return nil
}
