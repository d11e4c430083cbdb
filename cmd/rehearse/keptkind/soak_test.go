package keptkind

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// TestSoak kills runs that make a kind cluster of their own: while kind makes it, while the scenario runs, and while it is
// deleted. After rehearse gc there is no container, network, volume, image or folder that was not there before.
func TestSoak(t *testing.T) {
	times, seed := hometest.Soak(t, 1)
	t.Logf("%d runs in each part; repeat them with %s=%d", times, hometest.EnvSoakSeed, seed)
	for i, part := range []struct {
		name string
		// says begins the part; it is killed up to so much later.
		says string
		upTo time.Duration
	}{
		{"creates", "preparing nodes", 15 * time.Second},
		{"runs", "step v2 (upgrade)", 4 * time.Second},
		{"deletes", "clean-up took", time.Second},
	} {
		t.Run(part.name, func(t *testing.T) {
			for n := range times {
				t.Run(strconv.Itoa(n), func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, uint64(i)<<32|uint64(n)))
					soak(t, part.says, time.Duration(random.Int64N(int64(part.upTo))))
				})
			}
		})
	}
}

// soak kills one run.
func soak(t *testing.T, says string, later time.Duration) {
	p := newPlace(t)
	images := docker(t, "image", "ls", "-aq", "--no-trunc")
	run := p.Start("run", p.Scenario("shop", `  cluster: {provider: kind, isolation: cluster, nodes: 2}
  release: {name: shop, chart: charts/shop, values: {migration: {enabled: false}}}
  steps:
  - {name: v1, install: {}, timeout: 3m}
  - {name: v2, upgrade: {values: {tag: v2}}, timeout: 3m}
`), "--reports", "runs")
	run.Says(says)
	select {
	case <-time.After(later):
	case <-run.Ended:
	}
	run.Signal(syscall.SIGKILL)
	got := run.Wait()
	left := ""
	for _, r := range p.Records() {
		if r.Kind == journal.KindCluster {
			left = r.ID
		}
	}
	t.Logf("killed %s after %q: exit code %d, cluster left: %q", later.Round(time.Millisecond), says, got.Code, left)
	if left == "" && got.Code == -1 && !strings.Contains(got.Stderr, "clean-up took") {
		t.Errorf("the journal holds nothing of the cluster: %v", p.Records())
	}
	p.Want(0, "gc")
	p.checkNothingLeft(left)
	for _, image := range docker(t, "image", "ls", "-aq", "--no-trunc") {
		if !slices.Contains(images, image) {
			t.Errorf("image left: %s", image)
		}
	}
	for _, network := range docker(t, "network", "ls", "-q") {
		if !slices.Contains(p.networks, network) {
			t.Errorf("network left: %s", network)
		}
	}
}
