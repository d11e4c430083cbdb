package providers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
)

// The image of the fixture charts is there without being asked for; where nothing can build it, that is said.
func TestWorkloadImage(t *testing.T) {
	paths, err := workloadImage(t.Context(), func(s string) { t.Log(s) })
	if err != nil || len(paths) != 1 {
		t.Fatalf("archives %q, %v", paths, err)
	}
	if _, err := os.Stat(paths[0]); err != nil {
		t.Error(err)
	}
	t.Setenv(cachedir.Env, t.TempDir())
	t.Setenv("PATH", t.TempDir())
	var told []string
	paths, err = workloadImage(t.Context(), func(s string) { told = append(told, s) })
	if err != nil || len(paths) != 0 || !strings.Contains(strings.Join(told, "\n"), "go without rehearse.dev/workload:dev") {
		t.Errorf("without a go command: archives %q, %v, told %q", paths, err, told)
	}
	// Any other reason is a failure.
	full := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(full, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(cachedir.Env, full)
	if paths, err := workloadImage(t.Context(), func(string) {}); err == nil {
		t.Errorf("archives %q where there can be no cache", paths)
	}
}
