package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster/kind"
)

// TestMakefileNamesNodeImage: where the Makefile asked for another image than kind clusters take, the lane on kind would be
// left out without a word.
func TestMakefileNamesNodeImage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Makefile")
	if err != nil || !strings.Contains(string(text), "KIND_RUNS = docker image inspect "+kind.OwnImage+" ") {
		t.Errorf("the Makefile does not ask for %s, or cannot be read: %v", kind.OwnImage, err)
	}
}

// TestMakefileNamesFuzzTargets: a fuzz target that make fuzz does not name is never run for long.
func TestMakefileNamesFuzzTargets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^FUZZED := (.*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("the Makefile has no FUZZED")
	}
	named := strings.Fields(string(line[1]))
	slices.Sort(named)
	if diff := cmp.Diff(fuzzTargets(t, "../.."), named); diff != "" {
		t.Errorf("FUZZED of the Makefile (-there are +named):\n%s", diff)
	}
}

// fuzzTargets lists, as ./FOLDER:FUNCTION, those below a folder.
func fuzzTargets(t *testing.T, root string) []string {
	t.Helper()
	target := regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)
	var all []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "runs") {
			return filepath.SkipDir // no sources, and others write there
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, found := range target.FindAllSubmatch(text, -1) {
			all = append(all, "./"+filepath.ToSlash(folder)+":"+string(found[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}
