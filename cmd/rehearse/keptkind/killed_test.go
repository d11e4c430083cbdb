package keptkind

import (
	"path/filepath"
	"testing"
	"time"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
)

// TestKilledWhileFaultActive: what was journaled before a fault was injected is enough for rehearse gc to put a kind cluster
// back as it was, whatever the kind of fault. The scenarios are those of the test for embedded clusters.
func TestKilledWhileFaultActive(t *testing.T) {
	p := newPlace(t)
	t.Cleanup(func() { p.checkNothingLeft(hometest.KillingName) }) // once it is down
	k := hometest.NewKilling(p.Home, 2*time.Minute, "--provider", "kind")
	killed := func(t *testing.T, name string) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("..", "testdata", "killed", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		k.KillDuring(t, path, name)
	}
	narrow, wide := hometest.ByReach(t)
	t.Run("within namespaces", func(t *testing.T) { // returns once all have
		for _, kind := range narrow {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				killed(t, kind)
			})
		}
	})
	k.Mended(t)
	for _, kind := range wide {
		t.Run(kind, func(t *testing.T) {
			killed(t, kind)
			k.Mended(t)
		})
	}
}
