package nodeimage

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// dockerWorks is an engine that does what it is told.
const dockerWorks = `case "$*" in
"image inspect"*) echo "Error: No such image: $5" >&2; exit 1 ;;
*"kubeadm config images list"*) cat <<'END'
` + kubeadmList + `END
;;
*"has no extensions"*) cd "$(dirname "$0")"; echo program >xtables-nft-multi; tar -cf - xtables-nft-multi ;;
*"cat /etc/containerd/config.toml") echo 'sandbox_image = "registry.example/pause:3.10"' ;;
"cp - "*|import*|*--interactive*) cat >/dev/null ;;
esac`

// workpieces returns the products of the phases before the last.
func workpieces(t *testing.T) parts {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{
		"kube/kube", "dns/coredns", "programs/containerd", "programs/ctr", "programs/bridge", "programs/node", "rootfs.tar",
		"kind/images/base/files/usr/local/bin/entrypoint", "kind/images/base/files/etc/containerd/config.toml",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return parts{
		kube: filepath.Join(dir, "kube"), programs: filepath.Join(dir, "programs"), dns: filepath.Join(dir, "dns"), kind: filepath.Join(dir, "kind"),
		base: base{file: filepath.Join(dir, "rootfs.tar")},
	}
}

func TestAssemble(t *testing.T) {
	t.Parallel()
	docker, log := script(t, dockerWorks)
	b := newTestBuilder(t, docker)
	if err := b.assemble(t.Context(), workpieces(t)); err != nil {
		t.Fatal(err)
	}
	run := calls(t, log, "run ")
	if len(run) != 1 || strings.Contains(run[0], "--privileged") || !strings.Contains(run[0], "--network=none") {
		t.Errorf("run: %q", run)
	}
	commit := calls(t, log, "commit ")
	if len(commit) != 1 || !strings.Contains(commit[0], RecipeLabel+"="+b.recipe.key()) || !strings.HasSuffix(commit[0], " rehearse.dev/test:v1") {
		t.Errorf("commit: %q", commit)
	}
	expectRemoved(t, log, b)
}

// expectRemoved fails unless the container and the base's name were removed, and nothing else.
func expectRemoved(t *testing.T, log string, b *builder) {
	t.Helper()
	container, name := calls(t, log, "rm "), calls(t, log, "image rm ")
	if len(container) != 1 || !strings.Contains(container[0], " "+journal.DirPrefix+"node-image-") {
		t.Errorf("removed containers: %q", container)
	}
	if len(name) != 1 || !strings.HasPrefix(name[0], "image rm rehearse.dev/node-base:"+journal.DirPrefix) {
		t.Errorf("removed images: %q", name)
	}
	noRecords(t, b.journal)
}

func TestAssembleFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ when, does, says string }{
		"import":         {"import*", "echo damaged >&2; exit 1", "damaged"},
		"run":            {"run*", "echo no runtime >&2; exit 125", "no runtime"},
		"a bare base":    {`*"command -v"*`, "echo jq; echo runc", "lacks the programs jq, runc"},
		"copy":           {"cp*", "exit 1", "docker cp"}, // with its input unread
		"set-up":         {`*"systemctl enable"*`, "echo no such unit >&2; exit 1", "no such unit"},
		"other images":   {`*"kubeadm config"*`, "echo registry.example/etcd:4", "kubeadm wants the images"},
		"another DNS":    {`*"kubeadm config"*`, "echo '" + strings.ReplaceAll(kubeadmList, "v1.14.2", "v1.99.0") + "'", "cmd/coredns/go.mod has v1.14.2"},
		"no extensions":  {`*"has no extensions"*`, "echo iptables has no extensions >&2; exit 1", "iptables has no extensions"},
		"no iptables":    {`*"has no extensions"*`, `tar -cf - -C "$(dirname "$0")" docker`, "no xtables-nft-multi"},
		"image import":   {"*--interactive*", "echo no containerd >&2; exit 1", "no containerd"},
		"commit":         {"commit*", "echo full >&2; exit 1", "full"},
		"removal, later": {"rm*", "echo busy >&2; exit 1", "rehearse gc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docker, log := script(t, "case \"$*\" in "+test.when+") "+test.does+"; exit ;; esac\n"+dockerWorks)
			b := newTestBuilder(t, docker)
			err := b.assemble(t.Context(), workpieces(t))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error: %v", err)
			}
			if test.when != "rm*" {
				expectRemoved(t, log, b)
				return
			}
			if records, err := b.journal.List(); err != nil || len(records) != 1 || records[0].Kind != KindWorkshop {
				t.Errorf("records %v, %v", records, err)
			}
		})
	}
}

func TestAssembleInterrupted(t *testing.T) {
	t.Parallel()
	docker, log := script(t, `case "$*" in commit*) sleep 60 ;; esac`+"\n"+dockerWorks)
	b := newTestBuilder(t, docker)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.progress = func(line string) {
		if strings.Contains(line, "storing") {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	}
	if err := b.assemble(ctx, workpieces(t)); err == nil || ctx.Err() == nil {
		t.Errorf("error: %v", err)
	}
	expectRemoved(t, log, b)
}

// TestOldImagesGo: they are of no use to anybody, but their removal is not what was asked for.
func TestOldImagesGo(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"removed": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := dockerWorks
			if refused {
				body = `case "$*" in "image prune"*) echo conflict >&2; exit 1 ;; esac` + "\n" + body
			}
			docker, log := script(t, body)
			b := newTestBuilder(t, docker)
			var told string
			b.progress = func(line string) { told += line }
			if err := b.assemble(t.Context(), workpieces(t)); err != nil {
				t.Fatal(err)
			}
			if got := calls(t, log, "image prune --force --filter label="+RecipeLabel); len(got) != 1 {
				t.Errorf("removed %q", got)
			}
			if strings.Contains(told, "conflict") != refused {
				t.Errorf("told: %s", told)
			}
		})
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	docker, log := script(t, `echo "Error: No such container: $4" >&2; exit 1`)
	record := func(id string) journal.Record {
		return journal.Record{Kind: KindWorkshop, ID: id, Data: map[string]string{dataEngine: docker}}
	}
	if err := Undo().Remove(t.Context(), record("rehearse-node-image-x")); err != nil {
		t.Error(err)
	}
	if got := calls(t, log, "rm --force --volumes rehearse-node-image-x"); len(got) != 1 {
		t.Errorf("removed %q", got)
	}
	if err := Undo().Remove(t.Context(), record("database")); err == nil || len(calls(t, log, "rm --force --volumes database")) > 0 {
		t.Errorf("removed what is not ours: %v", err)
	}
}
