package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk: the error names the folder and the remedy, and nothing follows a line that may be cut off.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no device that is always full: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	r, err := Create(dir, Variant{})
	if err != nil {
		t.Fatal(err)
	}
	r.Record(Event{Phase: &Phase{Name: "before"}})
	disk := r.timeline
	r.timeline = full
	r.Record(Event{Phase: &Phase{Name: "lost"}})
	if err := r.Err(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--reports") {
		t.Errorf("err = %v", err)
	}
	r.timeline = disk
	r.Record(Event{Phase: &Phase{Name: "after"}})
	if err := errors.Join(r.Close(), full.Close()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close = %v", err)
	}
	b, err := Load(dir)
	if err != nil || len(b.Timeline) != 1 {
		t.Errorf("%d events, %v", len(b.Timeline), err)
	}
}
