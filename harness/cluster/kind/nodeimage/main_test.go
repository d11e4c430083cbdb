package nodeimage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script writes an executable shell script that logs its arguments, one line for each call, and returns both paths.
func script(t *testing.T, body string) (path, log string) {
	t.Helper()
	dir := t.TempDir()
	path, log = filepath.Join(dir, "docker"), filepath.Join(dir, "log")
	content := "#!/bin/sh\necho \"$@\" | head -n 1 >>" + log + "\n" + body + "\n"
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, log
}

// calls returns the logged lines that begin with a word.
func calls(t *testing.T, log, word string) []string {
	t.Helper()
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, word) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// newTestBuilder returns a builder with a fake engine and a cache of its own.
func newTestBuilder(t *testing.T, docker string) *builder {
	t.Helper()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRecipe("amd64")
	if err != nil {
		t.Fatal(err)
	}
	return &builder{
		engine: engine{command: docker}, recipe: r, tag: "rehearse.dev/test:v1", cache: t.TempDir(), journal: j, progress: func(string) {},
	}
}

// noRecords fails if the journal still holds something.
func noRecords(t *testing.T, j *journal.Journal) {
	t.Helper()
	records, err := j.List()
	if err != nil || len(records) > 0 {
		t.Errorf("left in the journal: %v, %v", records, err)
	}
}
