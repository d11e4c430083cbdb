package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/eventually"
)

// bootstrapped returns a builder whose root file systems are made by a script.
func bootstrapped(t *testing.T, body string) (b *builder, log string) {
	t.Helper()
	fake, log := script(t, body)
	b = newTestBuilder(t, fake)
	b.debian = bootstrapper{unshare: fake, debootstrap: fake, root: true}
	return b, log
}

// leftovers lists temporary folders of the cache.
func leftovers(t *testing.T, b *builder) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(b.cache, journal.DirPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestRootfsIsMadeOnce(t *testing.T) {
	t.Parallel()
	b, log := bootstrapped(t, `mkdir "$rootfs" && echo packed >"$archive"`)
	for _, wantCached := range []bool{false, true} {
		got, cached, err := b.rootfs(t.Context())
		if err != nil || cached != wantCached {
			t.Fatalf("cached %t, %v; want cached %t", cached, err, wantCached)
		}
		if content, err := os.ReadFile(got.file); err != nil || string(content) != "packed\n" {
			t.Errorf("archive: %q, %v", content, err)
		}
	}
	made := calls(t, log, "--mount --pid --fork --kill-child")
	if len(made) != 1 {
		t.Errorf("made %d times", len(made))
	}
	if left := leftovers(t, b); left != nil {
		t.Errorf("left: %v", left)
	}
	noRecords(t, b.journal)
}

func TestRootfsFails(t *testing.T) {
	t.Parallel()
	b, _ := bootstrapped(t, `mkdir "$rootfs"; echo half >"$archive"; echo "E: no such suite" >&2; exit 1`)
	_, _, err := b.rootfs(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no such suite") || !strings.Contains(err.Error(), "--base") {
		t.Errorf("error: %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(b.cache, "*")); found != nil {
		t.Errorf("left: %v", found)
	}
	noRecords(t, b.journal)
}

func TestRootfsInterrupted(t *testing.T) {
	t.Parallel()
	b, log := bootstrapped(t, `mkdir "$rootfs"; sleep 60`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	eventually.Do(ctx, func() bool { _, err := os.Stat(log); return err == nil }, cancel)
	if _, _, err := b.rootfs(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	if left := leftovers(t, b); left != nil {
		t.Errorf("left: %v", left)
	}
	noRecords(t, b.journal)
}

func TestCannotBootstrap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*bootstrapper)
		says   string
	}{
		"no root":        {func(d *bootstrapper) { d.root = false }, "run this as root"},
		"no debootstrap": {func(d *bootstrapper) { d.debootstrap = "no-such-command" }, "install the packages debootstrap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := bootstrapped(t, "exit 9")
			test.change(&b.debian)
			_, _, err := b.rootfs(t.Context())
			if !errors.Is(err, ErrCannotBootstrap) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "--base") {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestBaseIsUsedAsItIs: nothing of Debian's is needed then.
func TestBaseIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	b, _ := bootstrapped(t, "exit 9")
	b.debian = bootstrapper{}
	b.recipe.base = base{image: "sha256:1", key: "sha256:1"}
	if got, cached, err := b.rootfs(t.Context()); err != nil || !cached || got != b.recipe.base {
		t.Errorf("base %v, cached %t, %v", got, cached, err)
	}
}
