// Package keptkind tests kept clusters of kind's with the program itself. It is a package of its own because tests that
// boot kind clusters have the machine for themselves.
package keptkind

import (
	"bytes"
	"encoding/json"
	"fmt"
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

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/kind"
)

// TestMain builds the program and puts it where tests find it.
func TestMain(m *testing.M) { os.Exit(withProgram(m.Run)) }

func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "rehearse-keptkind-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "rehearse"), "rehearse.dev/rehearse/cmd/rehearse")
	if out, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build the program: %w: %s", err, out))
	}
	if err := os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		return fail(err)
	}
	return run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// place is where the program keeps clusters for one test.
type place struct {
	*hometest.Home
	// What was there before.
	containers, networks, volumes []string
}

// newPlace makes a place in which clusters are Docker's. What they leave behind fails the test.
func newPlace(t *testing.T) *place {
	t.Helper()
	needNodeImage(t)
	p := &place{Home: hometest.New(t, kind.EnvEngine+"=docker"), containers: docker(t, "ps", "-aq"), networks: docker(t, "network", "ls", "-q"), volumes: docker(t, "volume", "ls", "-q")}
	t.Cleanup(func() { p.Want(0, "cluster", "down", "--all") }) // in case that the test fails
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
		t.Skipf("this test needs a container engine that has node image %s (rehearse kind-image build makes it)", kind.OwnImage)
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

// list is what the program lists; there must be one cluster.
func (p *place) list() kept.Info {
	p.T.Helper()
	var infos []kept.Info
	if err := json.Unmarshal([]byte(p.Want(0, "cluster", "list", "--output", "json").Stdout), &infos); err != nil || len(infos) != 1 {
		p.T.Fatalf("listed: %+v, %v", infos, err)
	}
	return infos[0]
}

// checkNothingLeft looks for what a cluster was made of. Networks and volumes of others come and go, so that only those
// without a user count.
func (p *place) checkNothingLeft(name string) {
	p.T.Helper()
	for _, container := range docker(p.T, "ps", "-aq") { // these tests have the engine for themselves
		if !slices.Contains(p.containers, container) {
			p.T.Errorf("container left: %s", container)
		}
	}
	for _, network := range docker(p.T, "network", "ls", "-q", "--filter", "label=rehearse.dev/made-for="+name) {
		if users := docker(p.T, "ps", "-aq", "--filter", "network="+network); len(users) == 0 && !slices.Contains(p.networks, network) {
			p.T.Errorf("network left: %s", network)
		}
	}
	for _, volume := range docker(p.T, "volume", "ls", "-q", "--filter", "dangling=true") {
		if !slices.Contains(p.volumes, volume) {
			p.T.Errorf("volume left: %s", volume)
		}
	}
	folders, _ := filepath.Glob(filepath.Join(p.State(), "kind", "*"))
	records, err := filepath.Glob(filepath.Join(p.State(), "journal", "*@*"))
	if err != nil || len(folders)+len(records) > 0 {
		p.T.Errorf("left: %v %v %v", folders, records, err)
	}
	if out := p.Want(0, "cluster", "list").Stdout; !strings.HasPrefix(out, "no clusters") {
		p.T.Errorf("listed: %s", out)
	}
}

// TestBootFails: the logs of a cluster that could not be made are in the run's folder, and nothing else of it is left.
func TestBootFails(t *testing.T) {
	p := newPlace(t)
	scenario := p.Scenario("s", `  cluster:
    provider: kind
    kind: {config: {kubeadmConfigPatches: ["kind: ClusterConfiguration\nnetworking: {serviceSubnet: nonsense}\n"]}}
  release: {name: r, chart: charts/note}
  steps: [{name: v1, install: {}}]
`)
	got := p.Want(3, "run", scenario, "--run-id", "one", "--reports", "runs")
	logs, err := filepath.Glob(filepath.Join(p.Dir, "runs", "one", "clusters", "*", "*-control-plane", "kubelet.log"))
	if err != nil || len(logs) != 1 || !strings.Contains(got.Stderr, "logs of its nodes: ") {
		t.Errorf("logs: %v, %v\n%s", logs, err, got.Stderr)
	}
	p.checkNothingLeft("none")
}

const config = `nodes:
- role: control-plane
- role: worker
  labels: {tests.example/zone: a}
`

// A kept cluster is what its kind config says, runs scenarios, whose charts see its version, and goes without a trace.
func TestKept(t *testing.T) {
	p := newPlace(t)
	p.Write("kind.yaml", config)
	p.Write("note/Chart.yaml", "apiVersion: v2\nname: note\nversion: 0.1.0\n")
	p.Write("note/templates/note.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {kube: \"{{ .Capabilities.KubeVersion.Version }}\"}\n")
	scenario := p.Scenario("s", `  release: {name: r, chart: note}
  steps: [{name: v1, install: {}}, {name: v2, upgrade: {}}, {name: back, rollback: 1}]
  assert:
  - object: {object: ConfigMap/note, match: {data: {kube: `+kind.KubeVersion+`}}}
  - ledger: {}
`)
	const name = "rehearse-kept-test"
	up := p.Want(0, "cluster", "up", "--provider", "kind", "--name", name, "--config", "kind.yaml", "--image", kind.OwnImage).Stdout
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
	if out := p.Want(0, "plan", scenario, "--cluster", name).Stdout; !strings.Contains(out, "needs a cluster: kind") {
		t.Errorf("planned: %s", out)
	}
	p.Want(0, "run", scenario, "--cluster", name, "--reports", filepath.Join(p.Dir, "runs"))
	if out := p.Want(0, "cluster", "down", name).Stdout; out != name+" is gone\n" {
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
	p.Want(0, "cluster", "up", "--provider", "kind", "--name", name, "--nodes", "1")
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
	if got := p.Exec("run", p.Note("none", ""), "--cluster", name); got.Code == 0 || !strings.Contains(got.Stderr, "not ready but dead") {
		t.Errorf("a run on a dead cluster: exit code %d: %s", got.Code, got.Stderr)
	}
	if out := p.Want(0, "gc").Stdout; !strings.Contains(out, "removed 1, failed 0") {
		t.Errorf("gc: %s", out)
	}
	p.checkNothingLeft(name)
}
