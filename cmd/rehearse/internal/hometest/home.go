// Package hometest gives tests a place of their own for the program: its journal, its temporary files, its clusters. Once a
// test is over, nothing may be left there of what the program made. The program has to be in the PATH as rehearse.
package hometest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rehearse.dev/rehearse/charts"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// clusters bounds how many clusters the tests run at once, as each takes half a gigabyte.
var clusters = make(chan struct{}, 3)

// Home is a place of its own for the program: its journal, its temporary files and its runs. Once the test is over,
// nothing may be left of what the program made, there or in memory, and no process.
type Home struct {
	T *testing.T
	// Dir is the folder of it all, in which the program runs. Its folder charts has the fixture charts.
	Dir string
	// mark stands in the PATH of every process that was begun here, and of those that these began.
	mark string
	// env is what the program gets in its environment besides, as NAME=value.
	env []string
}

// New makes a place, and sees at the end of the test to it that nothing is left there. The program gets env in its environment.
func New(t *testing.T, env ...string) *Home {
	t.Helper()
	select {
	case clusters <- struct{}{}:
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
	t.Cleanup(func() { <-clusters })
	h := &Home{T: t, Dir: t.TempDir(), env: env}
	h.mark = filepath.Join(h.Dir, "mark")
	for _, dir := range []string{h.State(), h.Tmp()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := charts.Extract(filepath.Join(h.Dir, "charts")); err != nil {
		t.Fatal(err)
	}
	h.Write("charts/note/Chart.yaml", "apiVersion: v2\nname: note\nversion: 0.1.0\n")
	h.Write("charts/note/templates/note.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\n")
	watching, stop := context.WithCancel(context.Background())
	folders := make(chan []string)
	go func() { folders <- h.watchFolders(watching) }()
	t.Cleanup(func() {
		stop()
		h.checkNothingLeft(<-folders)
	})
	return h
}

// In is the same place for a subtest.
func (h *Home) In(t *testing.T) *Home { return &Home{T: t, Dir: h.Dir, mark: h.mark, env: h.env} }

// State is the folder of the journal and of kept clusters.
func (h *Home) State() string { return filepath.Join(h.Dir, "state") }

// Tmp is the folder of temporary files.
func (h *Home) Tmp() string { return filepath.Join(h.Dir, "tmp") }

// watchFolders returns the folders that the journal has named until ctx ends. It looks again and again; a folder that it
// misses was not there for long.
func (h *Home) watchFolders(ctx context.Context) []string {
	var folders []string
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		for _, r := range h.Records() {
			if dir := r.Data["dir"]; dir != "" && !slices.Contains(folders, dir) {
				folders = append(folders, dir)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return folders
		}
	}
}

// Records is what the journal holds.
func (h *Home) Records() []journal.Record {
	j, err := journal.Open(h.State())
	if err != nil {
		return nil
	}
	records, _ := j.List()
	return records
}

// Cluster is the record of the one cluster there is.
func (h *Home) Cluster() journal.Record {
	h.T.Helper()
	var found []journal.Record
	for _, r := range h.Records() {
		if r.Kind == "cluster" {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		h.T.Fatalf("the journal holds %d clusters, want 1: %v", len(found), found)
	}
	return found[0]
}

// Component is the number of a component's process.
func (h *Home) Component(name string) int {
	h.T.Helper()
	r := h.Cluster()
	p, err := journal.ParseProcess(r.Data["process."+name], r.Owner)
	if err != nil {
		h.T.Fatal(err)
	}
	return p.PID
}

func (h *Home) Environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"PATH", "TMPDIR", "CI", "REHEARSE_STATE_DIR"}, name)
	})
	env = append(env, h.env...)
	return append(env, "PATH="+os.Getenv("PATH")+string(filepath.ListSeparator)+h.mark, "TMPDIR="+h.Tmp(), "REHEARSE_STATE_DIR="+h.State())
}

// Write writes a file of the home and returns its path.
func (h *Home) Write(name, text string) string {
	h.T.Helper()
	path := filepath.Join(h.Dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		h.T.Fatal(err)
	}
	return path
}

// Scenario writes a scenario, given by its spec.
func (h *Home) Scenario(name, spec string) string {
	h.T.Helper()
	return h.Write(name+".yaml", "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: "+name+"}\nspec:\n  description: Tests the program.\n"+spec)
}

// Note is a scenario of a chart that makes one ConfigMap, which takes next to no time.
func (h *Home) Note(name, more string) string {
	h.T.Helper()
	return h.Scenario(name, "  release: {name: note, chart: charts/note}\n  steps: [{name: v1, install: {}}]\n"+more)
}

// lasting are the processes that go on. One whose parent was killed ends by itself when its lifeline is cut, which takes it
// a moment.
func (h *Home) lasting() []string {
	h.T.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for range 100 {
		if len(marked(h.T, h.mark)) == 0 {
			return nil
		}
		<-ticker.C
	}
	return marked(h.T, h.mark)
}

// checkNothingLeft looks for what the program should have removed.
func (h *Home) checkNothingLeft(folders []string) {
	h.T.Helper()
	for _, r := range h.Records() {
		h.T.Errorf("left in the journal: %s %s %v", r.Kind, r.ID, r.Data)
	}
	h.checkEmpty(h.Tmp())
	h.checkEmpty(filepath.Join(h.State(), "journal"))
	for _, dir := range folders {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			h.T.Errorf("left behind: %s (%v)", dir, err)
		}
	}
	for _, process := range h.lasting() {
		h.T.Errorf("still running: %s", process)
	}
}

// checkEmpty looks into a folder that may hold nothing but a lock.
func (h *Home) checkEmpty(dir string) {
	h.T.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.T.Error(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			h.T.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
		}
	}
}

// marked lists the processes whose environment holds mark, as far as the system tells.
func marked(t *testing.T, mark string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("the process table was not searched: there is no /proc")
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		// A process may end while it is looked at; one that cannot be looked at is not ours.
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !bytes.Contains(env, []byte(mark)) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		found = append(found, fmt.Sprintf("%s %s", e.Name(), bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
	}
	return found
}
