package main

import (
	"testing"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
)

// killed is the folder of scenarios during which the harness is killed.
const killed = "testdata/killed"

// TestKilledWhileFaultActive: of every kind of fault there is a scenario, testdata/killed/<kind>.yaml, during which the
// harness is killed on a cluster that outlives it. What was journaled before the fault was injected is enough for
// rehearse gc to put the cluster back as it was.
func TestKilledWhileFaultActive(t *testing.T) {
	t.Parallel()
	narrow, wide := hometest.ByReach(t)
	t.Run("within namespaces", func(t *testing.T) {
		t.Parallel()
		k := hometest.NewKilling(hometest.New(t), 0)
		t.Run("all", func(t *testing.T) { // returns once all have
			for _, kind := range narrow {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					k.KillDuring(t, killed, kind)
				})
			}
		})
		k.Mended(t)
	})
	half := len(wide) / 2 // as each waits for most of its time
	for name, kinds := range map[string][]string{"alone, first half": wide[:half], "alone, second half": wide[half:]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := hometest.NewKilling(hometest.New(t), 0)
			for _, kind := range kinds {
				t.Run(kind, func(t *testing.T) {
					k.KillDuring(t, killed, kind)
					k.Mended(t)
				})
			}
		})
	}
}
