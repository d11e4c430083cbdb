package embedded

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/lifeline"
)

// bootsPerRound is how often each is booted in a round of the benchmark. Single boots differ by a quarter: the API server makes its
// roles when a timer of a second has gone off, and what it does before decides which time.
const bootsPerRound = 3

// BenchmarkBoot boots, in turns, nothing but etcd and kube-apiserver until /readyz, and a whole cluster until three nodes
// are Ready. It prints the medians and their ratio, whose budget is 1.15. Both get the same flags; the turns make the rest
// of the machine's work weigh on both alike.
func BenchmarkBoot(b *testing.B) {
	path, err := kube()
	if err != nil {
		b.Fatal(err)
	}
	var bare, full []time.Duration
	for b.Loop() {
		for range bootsPerRound {
			bare = append(bare, bootBare(b, path))
			full = append(full, bootFull(b, path))
		}
	}
	ratio := median(full).Seconds() / median(bare).Seconds()
	b.ReportMetric(median(bare).Seconds(), "s-bare/op")
	b.ReportMetric(median(full).Seconds(), "s-full/op")
	b.ReportMetric(ratio, "full/bare")
	fmt.Fprintf(os.Stderr, "boot, medians of %d: etcd and kube-apiserver to /readyz %.2f s; cluster to 3 nodes Ready %.2f s; ratio %.2f (budget 1.15)\n",
		len(full), median(bare).Seconds(), median(full).Seconds(), ratio)
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func bootFull(b *testing.B, path string) time.Duration {
	b.Helper()
	provider := New(WithKubeBinary(path), WithStateRoot(b.TempDir()))
	began := time.Now()
	c, err := provider.Create(b.Context(), cluster.Spec{Nodes: 3})
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Delete(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}

// bootBare does what a script would: etcd, then the API server, then curl /readyz.
func bootBare(b *testing.B, path string) time.Duration {
	b.Helper()
	dir := filepath.Join(dataRoot(), "rehearse-bench-"+randomHex(4))
	if err := makeDirs(dir); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	line, err := lifeline.New()
	if err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	creds, err := newCredentials(dir)
	if err != nil {
		b.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		b.Fatal(err)
	}
	c := &Cluster{dir: dir, nodes: nodes{creds.config(port, creds.admin)}}
	began := time.Now()
	for _, component := range []struct {
		name string
		args []string
	}{{etcd, etcdArgs()}, {apiserver, apiserverArgs(port)}} {
		p, err := startProcess(path, component.name, component.args, dir, line)
		if err != nil {
			b.Fatal(err)
		}
		c.processes = append(c.processes, p)
	}
	err = awaitStatus(b.Context(), c.config, "/readyz", func(code int) bool { return code == http.StatusOK })
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.stopProcesses(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}
