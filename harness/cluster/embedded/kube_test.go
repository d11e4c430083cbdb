package embedded

import (
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

// TestCurrent fails when what go generate packs is out of date.
func TestCurrent(t *testing.T) {
	t.Parallel()
	if err := gobuild.CheckPacked(kubeSources, "../../../cmd/kube", "harness/cluster/embedded"); err != nil {
		t.Error(err)
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
