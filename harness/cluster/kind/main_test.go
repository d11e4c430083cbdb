package kind

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(envVictim); name != "" {
		if err := victim(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// docker returns a container engine that runs.
func docker(t *testing.T) engine {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test needs a container engine")
	}
	e, _, err := detect(t.Context())
	if err != nil {
		t.Skipf("this test needs a container engine: %v", err)
	}
	return e
}

// must runs a command of the engine.
func must(t *testing.T, e engine, args ...string) string {
	t.Helper()
	out, err := e.run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sleepImage makes an image of one static program that listens and sleeps, without a registry.
func sleepImage(t *testing.T, e engine) string {
	t.Helper()
	dir := t.TempDir()
	const program = `package main

import (
	"net"
	"time"
)

func main() { _, _ = net.Listen("tcp", ":8080"); time.Sleep(time.Hour) }
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", "sleep", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build a program: %v: %s", err, out)
	}
	archive := filepath.Join(dir, "root.tar")
	if out, err := exec.Command("tar", "-C", dir, "-cf", archive, "sleep").CombinedOutput(); err != nil {
		t.Fatalf("make an archive: %v: %s", err, out)
	}
	name := "rehearse.dev/test:" + randomHex(4)
	must(t, e, "import", "-c", `ENTRYPOINT ["/sleep"]`, archive, name)
	t.Cleanup(func() { _, _ = e.run(context.Background(), "rmi", "-f", name) })
	return name
}

// needStart skips a test where the engine answers but cannot start a container: podman does, without the rights it takes.
func needStart(t *testing.T, e engine, image string) {
	t.Helper()
	name := "rehearse-test-" + randomHex(4)
	t.Cleanup(func() { _, _ = e.run(context.Background(), "rm", "--force", name) })
	if _, err := e.run(t.Context(), "run", "--detach", "--name", name, image); err != nil {
		t.Skipf("this test needs a container engine that can start containers: %v", err)
	}
}

// newJournal opens a journal of the test's own.
func newJournal(t *testing.T) (*journal.Journal, string) {
	t.Helper()
	root := t.TempDir()
	j, err := journal.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return j, root
}

// remains lists the nodes of a cluster.
func remains(t *testing.T, e engine, cluster string) []string {
	t.Helper()
	nodes, err := e.nodes(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// needNodeImage returns a container engine that has the node image. Without it a test would pull one, of another version.
func needNodeImage(t *testing.T) engine {
	t.Helper()
	e := docker(t)
	if _, present := e.imageLabels(t.Context(), OwnImage); !present {
		t.Skipf("this test needs a container engine that has node image %s (rehearse kind-image build makes it)", OwnImage)
	}
	return e
}
