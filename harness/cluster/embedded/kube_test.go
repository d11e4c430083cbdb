package embedded

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

// TestCurrent fails when kube.txtar is not what go generate would write now.
func TestCurrent(t *testing.T) {
	t.Parallel()
	want, err := gobuild.Pack(filepath.FromSlash("../../../cmd/kube"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kubeSources, want) {
		t.Errorf("kube.txtar is out of date: run go generate ./harness/cluster/embedded\n%s", cmp.Diff(string(kubeSources), string(want)))
	}
}

// TestKubeIsStamped: kubeVersion constraints of charts are checked against what the linker is told.
func TestKubeIsStamped(t *testing.T) {
	t.Parallel()
	p, err := Kube()
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != "v1.36.3" {
		t.Errorf("version %s", p.Version)
	}
	for _, want := range []string{"version.gitVersion=v1.36.3", "version.gitMajor=1 ", "version.gitMinor=36"} {
		if !strings.Contains(p.LDFlags, want) {
			t.Errorf("the linker is not told %s: %s", want, p.LDFlags)
		}
	}
}
