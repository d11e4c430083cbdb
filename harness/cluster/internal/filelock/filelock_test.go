package filelock

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path, func() { t.Error("waits for a lock that nobody holds") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a held lock is given away, or waited for without end: %v", err)
	}
	second, err := Lock(t.Context(), path, unlock)
	if err != nil {
		t.Fatal(err)
	}
	second()
	if _, err := Lock(t.Context(), filepath.Join(path, "below-a-file"), nil); err == nil {
		t.Error("locks what cannot be opened")
	}
}
