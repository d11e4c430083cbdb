package keptkind

import (
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
	const killed = "../testdata/killed"
	narrow, wide := hometest.ByReach(t)
	t.Run("within namespaces", func(t *testing.T) { // returns once all have
		for _, kind := range narrow {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				k.KillDuring(t, killed, kind)
			})
		}
	})
	k.Mended(t)
	for _, kind := range wide {
		t.Run(kind, func(t *testing.T) {
			k.KillDuring(t, killed, kind)
			k.Mended(t)
		})
	}
}
