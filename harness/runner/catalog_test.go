package runner

import (
	"testing"

	"rehearse.dev/rehearse/harness/cluster/providers"
)

// TestEveryFaultSaysWhere: each kind of fault says of each provider whether it can be had there.
func TestEveryFaultSaysWhere(t *testing.T) {
	t.Parallel()
	for _, info := range Catalog().Faults {
		if got, want := len(info.Where), len(providers.Registry().Names()); got != want {
			t.Errorf("%s speaks of %d providers, want %d: %q", info.Name, got, want, info.Where)
		}
	}
}
