package image

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// program says what it is called and who runs it.
const program = `package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() { fmt.Println(filepath.Base(os.Args[0]), os.Getuid(), os.Getenv("GREETING"), os.Args[1:]) }
`

// An engine takes the archive, and what is in it runs.
func TestDocker(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("this test needs a container engine, and Docker does not answer: %v: %s", err, out)
	}
	binary := build(t)
	shared := layer(t,
		File{Path: "/usr/local/bin/multi", Source: binary},
		File{Path: "/usr/local/bin/one", Link: "multi"},
		File{Path: "/usr/local/bin/other", Link: "multi"},
	)
	prefix := "rehearse.dev/image-test-" + strings.ToLower(rand.Text()) + ":"
	one := Image{Tags: []string{prefix + "one", prefix + "again"}, Arch: runtime.GOARCH, Layers: []*Layer{shared}, Env: []string{"PATH=/usr/local/bin"}, User: "65532"}
	other := one
	other.Tags, other.Entrypoint, other.Cmd, other.User = []string{prefix + "other"}, []string{"/usr/local/bin/other"}, []string{"arg"}, ""
	other.Env = []string{"GREETING=hello"}
	archive := filepath.Join(t.TempDir(), "archive.tar")
	if err := Save(archive, []Image{one, other}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { docker(t, "rmi", one.Tags[0], one.Tags[1], other.Tags[0]) })
	docker(t, "load", "--input", archive)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{one.Tags[0], "one"}, "one 65532  []"}, // as kubeadm's pods call the control plane: by a name that PATH leads to
		{[]string{one.Tags[1], "multi", "x"}, "multi 65532  [x]"},
		{[]string{other.Tags[0]}, "other 0 hello [arg]"},
	} {
		args := append([]string{"run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"}, test.args...)
		if got := docker(t, args...); got != test.want {
			t.Errorf("%q printed %q, want %q", test.args, got, test.want)
		}
	}
}

// build compiles the program without a C library, as the test binary itself may not be.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"main.go": program, "go.mod": "module multi\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", "multi", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "multi")
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("docker %q: %v: %s", args, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}
