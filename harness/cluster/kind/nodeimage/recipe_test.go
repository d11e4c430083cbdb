package nodeimage

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

// TestCurrent fails when node.txtar is not what go generate would write now.
func TestCurrent(t *testing.T) {
	t.Parallel()
	want, err := gobuild.Pack(filepath.FromSlash("../../../../cmd/node"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(nodeSources, want) {
		t.Errorf("node.txtar is out of date: run go generate ./harness/cluster/kind/nodeimage\n%s", cmp.Diff(string(nodeSources), string(want)))
	}
}

// TestKindIsPinned: the node's files and the library that boots nodes must be of one version.
func TestKindIsPinned(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"go.mod": "\tsigs.k8s.io/kind " + kindVersion + "\n",
		"go.sum": "sigs.k8s.io/kind " + kindVersion + " " + kindSum + "\n",
	} {
		content, err := os.ReadFile(filepath.Join("..", "..", "..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.ReplaceAll(string(content), " // indirect", ""); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}

func TestDefaultTag(t *testing.T) {
	t.Parallel()
	if got := DefaultTag(); got != "rehearse.dev/node:v1.36.3" {
		t.Errorf("default tag %s", got)
	}
}

// TestRecipeKey: whatever decides what the image holds changes its key.
func TestRecipeKey(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, change := range map[string]func(*recipe){
		"nothing":       func(*recipe) {},
		"processor":     func(r *recipe) { r.arch = "arm64" },
		"base":          func(r *recipe) { r.base.key = "sha256:1" },
		"kube sources":  func(r *recipe) { r.kube.Sources = append(bytes.Clone(r.kube.Sources), '\n') },
		"kube tags":     func(r *recipe) { r.kube.Tags = nil },
		"kube ldflags":  func(r *recipe) { r.kube.LDFlags = "" },
		"node sources":  func(r *recipe) { r.node.Sources = append(bytes.Clone(r.node.Sources), '\n') },
		"node packages": func(r *recipe) { r.node.Packages = nil },
	} {
		r, err := newRecipe("amd64")
		if err != nil {
			t.Fatal(err)
		}
		change(&r)
		if other, ok := seen[r.key()]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[r.key()] = name
	}
	if hash("a", "b") == hash("ab") || hash("a\n", "b") == hash("a", "\nb") {
		t.Error("texts run into one another")
	}
}
