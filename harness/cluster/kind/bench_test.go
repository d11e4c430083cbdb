package kind

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/cluster"
)

// benchNodes is how many nodes the clusters of the benchmarks have.
const benchNodes = 3

// BenchmarkBoot boots, in turns, a cluster by this provider and one by `kind create cluster` of the very version that is
// linked here, with the same image. It prints the medians and their ratios, whose budget is 1.05: to kind with the same
// user's config, to which only is added what it takes to boot on this machine with this image, and to kind with all that
// this provider adds, which makes kind quicker too. Ours is done later in a cluster's life, where kind waits for the control
// plane's node alone; so kind followed by kubectl, which waits for the other nodes, kube-proxy and DNS, is a third peer.
func BenchmarkBoot(b *testing.B) {
	b.Setenv("KUBECONFIG", filepath.Join(b.TempDir(), "kubeconfig"))
	e := benchEngine(b)
	program := buildKind(b)
	var plain, theirs, usable, ours []time.Duration
	for b.Loop() {
		made, _ := bootByKind(b, e, program, plainConfig)
		plain = append(plain, made)
		made, waited := bootByKind(b, e, program, func(*v1alpha4.Cluster) {})
		theirs, usable = append(theirs, made), append(usable, waited)
		ours = append(ours, bootOurs(b, 1))
	}
	what := fmt.Sprintf("boot of %d nodes", benchNodes)
	tell(b, what, "kind create cluster with this provider's additions, and kubectl wait", "this provider", usable, ours, "no budget")
	tell(b, what, "kind create cluster with this provider's additions", "this provider", theirs, ours, "budget 1.05")
	tell(b, what, "kind create cluster", "this provider", plain, ours, "budget 1.05")
}

// plainConfig takes from a config what this provider adds for the sake of rehearsals, and not of the machine or the image.
func plainConfig(config *v1alpha4.Cluster) {
	config.KubeadmConfigPatchesJSON6902 = nil
	added := append(faultPatches(), untaintPatches()...)
	config.KubeadmConfigPatches = slices.DeleteFunc(config.KubeadmConfigPatches, func(p string) bool { return slices.Contains(added, p) })
}

// BenchmarkTwo boots two clusters one after the other and two at once.
func BenchmarkTwo(b *testing.B) {
	benchEngine(b)
	var inTurn, atOnce []time.Duration
	for b.Loop() {
		inTurn = append(inTurn, bootOurs(b, 1)+bootOurs(b, 1))
		atOnce = append(atOnce, bootOurs(b, 2))
	}
	tell(b, fmt.Sprintf("two clusters of %d nodes", benchNodes), "one after the other", "at once", inTurn, atOnce, "no budget")
}

func tell(b *testing.B, what, first, second string, a, c []time.Duration, budget string) {
	b.Helper()
	median := func(all []time.Duration) float64 { return slices.Sorted(slices.Values(all))[(len(all)-1)/2].Seconds() }
	ratio := median(c) / median(a)
	b.ReportMetric(ratio, "ratio")
	fmt.Fprintf(os.Stderr, "%s, medians of %d: %s %.1f s, %s %.1f s; ratio %.2f (%s)\n",
		what, len(a), first, median(a), second, median(c), ratio, budget)
}

func benchEngine(b *testing.B) engine {
	b.Helper()
	e, _, err := detect(b.Context())
	if err != nil {
		b.Skipf("this benchmark needs a container engine: %v", err)
	}
	if _, present := e.imageLabels(b.Context(), OwnImage); !present {
		b.Skipf("this benchmark needs a container engine that has node image %s (rehearse kind-image build makes it)", OwnImage)
	}
	return e
}

// buildKind builds kind's own program, which go.mod names as a tool.
func buildKind(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "kind")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", path, "sigs.k8s.io/kind")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build kind: %v: %s", err, out)
	}
	return path
}

// bootByKind makes and deletes a cluster with kind's program, and returns how long making it took, and how long it was
// until pods can run on all nodes and find Services. The config is this provider's, once change has changed it.
func bootByKind(b *testing.B, e engine, program string, change func(*v1alpha4.Cluster)) (made, usable time.Duration) {
	b.Helper()
	_, info, err := detect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	name := "rehearse-bench-" + randomHex(4)
	spec := cluster.Spec{Name: name, Nodes: benchNodes, Progress: func(string) {}}
	config, _, err := New(WithNodeImage(OwnImage)).plan(b.Context(), e, info, spec)
	if err != nil {
		b.Fatal(err)
	}
	change(config)
	text, err := yaml.Marshal(config)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "config.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if out, err := exec.Command(program, "delete", "cluster", "--name", name).CombinedOutput(); err != nil {
			b.Errorf("kind delete cluster: %v: %s", err, out)
		}
	}()
	began := time.Now()
	out, err := exec.CommandContext(b.Context(), program, "create", "cluster", "--name", name, "--config", path, "--wait", "5m").CombinedOutput()
	made = time.Since(began)
	if err != nil {
		b.Fatalf("kind create cluster: %v: %s", err, out)
	}
	const script = `kubectl="kubectl --kubeconfig=/etc/kubernetes/admin.conf --namespace=kube-system wait --timeout=5m --for=condition=Ready"
$kubectl nodes --all && $kubectl pods --selector='k8s-app in (kube-proxy, kube-dns)'`
	if out, err := e.run(b.Context(), "exec", name+"-control-plane", "sh", "-c", script); err != nil {
		b.Fatalf("kubectl wait: %v: %s", err, out)
	}
	return made, time.Since(began)
}

// bootOurs makes so many clusters at once, deletes them, and returns how long making them took.
func bootOurs(b *testing.B, n int) time.Duration {
	b.Helper()
	provider := New(WithNodeImage(OwnImage), WithStateRoot(b.TempDir()))
	clusters := make([]cluster.Cluster, n)
	var group errgroup.Group
	began := time.Now()
	for i := range clusters {
		group.Go(func() (err error) {
			clusters[i], err = provider.Create(b.Context(), cluster.Spec{Nodes: benchNodes})
			return err
		})
	}
	err := group.Wait()
	took := time.Since(began)
	for _, c := range clusters {
		if c == nil {
			continue
		}
		if err := c.Delete(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	return took
}
