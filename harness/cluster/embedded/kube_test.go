package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
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

// TestKubeByName: the binary is the program that it is called as. The images of a kind cluster call it by such links.
func TestKubeByName(t *testing.T) {
	t.Parallel()
	binary, err := kube()
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		etcd: "Start an etcd server", apiserver: "The Kubernetes API server", controllerManager: "The Kubernetes controller manager",
		scheduler: "The Kubernetes scheduler",
	} {
		link := filepath.Join(t.TempDir(), name)
		if err := os.Symlink(binary, link); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), link, "--help").CombinedOutput(); err != nil || !strings.Contains(string(out), says) {
			t.Errorf("%s --help: %v\n%.300s", name, err, out)
		}
	}
}
