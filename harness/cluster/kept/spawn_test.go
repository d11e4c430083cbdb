package kept

import (
	"errors"
	"testing"
)

// TestSpawnFails spawns a keeper that dies without a word.
func TestSpawnFails(t *testing.T) {
	t.Parallel()
	_, err := Spawn(t.Context(), []string{"/bin/sh", "-c", "echo last words >&2; exit 3"}, func(string) {})
	if !errors.Is(err, errSilent) || err.Error() != "spawn a keeper: it ended before the cluster was ready: exit status 3: last words" {
		t.Errorf("error: %v", err)
	}
}
