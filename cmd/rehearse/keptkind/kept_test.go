// Package keptkind tests kept clusters of kind's with the program itself. It is a package of its own because tests that
// boot kind clusters have the machine for themselves.
package keptkind

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/kind"
)

// place is where the program keeps clusters for one test.
type place struct {
	t        *testing.T
	program  string
	dir      string
	networks []string // that were there before
	volumes  []string
}

// newPlace builds the program. What clusters leave behind fails the test.
func newPlace(t *testing.T) *place {
	t.Helper()
	needNodeImage(t)
	p := &place{t: t, dir: t.TempDir(), networks: docker(t, "network", "ls", "-q"), volumes: docker(t, "volume", "ls", "-q")}
	p.program = filepath.Join(p.dir, "rehearse")
	build := exec.Command("go", "build", "-o", p.program, "rehearse.dev/rehearse/cmd/rehearse")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, out)
	}
	t.Cleanup(func() { // in case that the test fails
		cmd := p.command(context.Background(), "cluster", "down", "--all")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("down: %v: %s", err, out)
		}
	})
	return p
}

// needNodeImage skips a test where it would have to pull an image, or has no engine.
func needNodeImage(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test needs a container engine")
	}
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		t.Skipf("this test needs a container engine: docker info: %v: %s", err, bytes.TrimSpace(out))
	}
	if exec.Command("docker", "image", "inspect", kind.OwnImage).Run() != nil {
		t.Skipf("this test needs node image %s (rehearse kind-image build makes it)", kind.OwnImage)
	}
}

// docker runs a command of the engine and returns the words that it prints.
func docker(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out))
}

func (p *place) state() string { return filepath.Join(p.dir, "state") }

func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "REHEARSE_STATE_DIR="+p.state(), kind.EnvEngine+"=docker")
	return cmd
}

// rehearse runs the program, which must succeed, and returns what it prints.
func (p *place) rehearse(args ...string) string {
	p.t.Helper()
	cmd := p.command(p.t.Context(), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("rehearse %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	p.t.Logf("rehearse %s\n%s", strings.Join(args, " "), stderr.Bytes())
	return string(out)
}

// list is what the program lists; there must be one cluster.
func (p *place) list() kept.Info {
	p.t.Helper()
	var infos []kept.Info
	if err := json.Unmarshal([]byte(p.rehearse("cluster", "list", "--output", "json")), &infos); err != nil || len(infos) != 1 {
		p.t.Fatalf("listed: %+v, %v", infos, err)
	}
	return infos[0]
}

func (p *place) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// checkNothingLeft looks for what a cluster was made of. Networks and volumes of others come and go, so that only those
// without a user count.
func (p *place) checkNothingLeft(name string) {
	p.t.Helper()
	if left := docker(p.t, "ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster="+name); len(left) > 0 {
		p.t.Errorf("containers left: %v", left)
	}
	for _, network := range docker(p.t, "network", "ls", "-q", "--filter", "label=rehearse.dev/made-for="+name) {
		if users := docker(p.t, "ps", "-aq", "--filter", "network="+network); len(users) == 0 && !slices.Contains(p.networks, network) {
			p.t.Errorf("network left: %s", network)
		}
	}
	for _, volume := range docker(p.t, "volume", "ls", "-q", "--filter", "dangling=true") {
		if !slices.Contains(p.volumes, volume) {
			p.t.Errorf("volume left: %s", volume)
		}
	}
	folders, _ := filepath.Glob(filepath.Join(p.state(), "kind", "*"))
	records, err := filepath.Glob(filepath.Join(p.state(), "journal", "*@*"))
	if err != nil || len(folders)+len(records) > 0 {
		p.t.Errorf("left: %v %v %v", folders, records, err)
	}
	if out := p.rehearse("cluster", "list"); !strings.HasPrefix(out, "no clusters") {
		p.t.Errorf("listed: %s", out)
	}
}

const config = `nodes:
- role: control-plane
- role: worker
  labels: {tests.example/zone: a}
`

// A kept cluster is what its kind config says, runs scenarios, whose charts see its version, and goes without a trace.
func TestKept(t *testing.T) {
	p := newPlace(t)
	p.write("kind.yaml", config)
	p.write("note/Chart.yaml", "apiVersion: v2\nname: note\nversion: 0.1.0\n")
	p.write("note/templates/note.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {kube: \"{{ .Capabilities.KubeVersion.Version }}\"}\n")
	scenario := p.write("s.yaml", `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: s}
spec:
  description: Tests kept clusters.
  release: {name: r, chart: note}
  steps: [{name: v1, install: {}}, {name: v2, upgrade: {}}, {name: back, rollback: 1}]
  assert:
  - object: {object: ConfigMap/note, match: {data: {kube: `+kind.KubeVersion+`}}}
  - ledger: {}
`)
	const name = "rehearse-kept-test"
	up := p.rehearse("cluster", "up", "--provider", "kind", "--name", name, "--config", "kind.yaml", "--image", kind.OwnImage)
	info := p.list()
	if info.Name != name || info.Provider != kind.ProviderName || info.State != kept.Ready || !info.Kept || info.Nodes != 2 || info.Version != kind.KubeVersion {
		t.Errorf("listed: %+v", info)
	}
	if up != "export KUBECONFIG="+info.Kubeconfig+"\n" {
		t.Errorf("cluster up printed %q", up)
	}
	if got := zone(t, info.Kubeconfig, name+"-worker"); got != "a" {
		t.Errorf("the worker's label is %q", got)
	}
	if out := p.rehearse("plan", scenario, "--cluster", name); !strings.Contains(out, "needs a cluster: kind") {
		t.Errorf("planned: %s", out)
	}
	p.rehearse("run", scenario, "--cluster", name, "--reports", filepath.Join(p.dir, "runs"))
	if out := p.rehearse("cluster", "down", name); out != name+" is gone\n" {
		t.Errorf("cluster down printed %q", out)
	}
	p.checkNothingLeft(name)
}

// zone is the label of the kind config's worker.
func zone(t *testing.T, kubeconfig, node string) string {
	t.Helper()
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	n, err := client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Labels["tests.example/zone"]
}

// A cluster whose keeper was killed is listed as dead, cannot be joined, and gc removes it.
func TestKeeperKilled(t *testing.T) {
	p := newPlace(t)
	const name = "rehearse-killed-test"
	p.rehearse("cluster", "up", "--provider", "kind", "--name", name, "--nodes", "1")
	info := p.list()
	if err := syscall.Kill(info.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// It is nobody's child here, so that nothing says when it has ended; it has once it is listed as dead.
	for p.list().State != kept.Dead {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := p.command(t.Context(), "run", p.write("none.yaml", ""), "--cluster", name).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not ready but dead") {
		t.Errorf("a run on a dead cluster: %v: %s", err, out)
	}
	if out := p.rehearse("gc"); !strings.Contains(out, "removed 1, failed 0") {
		t.Errorf("gc: %s", out)
	}
	p.checkNothingLeft(name)
}
