package main

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

// home is a place of its own for the program: its journal, its temporary files and its runs. Once the test is over,
// nothing may be left of what the program made, there or in memory, and no process.
type home struct {
	t   *testing.T
	dir string
	// mark stands in the PATH of every process that was begun here, and of those that these began.
	mark string
}

func newHome(t *testing.T) *home {
	t.Helper()
	select {
	case clusters <- struct{}{}:
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
	t.Cleanup(func() { <-clusters })
	h := &home{t: t, dir: t.TempDir()}
	h.mark = filepath.Join(h.dir, "mark")
	for _, dir := range []string{h.state(), h.tmp()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := charts.Extract(filepath.Join(h.dir, "charts")); err != nil {
		t.Fatal(err)
	}
	h.write("charts/note/Chart.yaml", "apiVersion: v2\nname: note\nversion: 0.1.0\n")
	h.write("charts/note/templates/note.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\n")
	watching, stop := context.WithCancel(context.Background())
	folders := make(chan []string)
	go func() { folders <- h.watchFolders(watching) }()
	t.Cleanup(func() {
		stop()
		h.checkNothingLeft(<-folders)
	})
	return h
}

// in is the same place for a subtest.
func (h *home) in(t *testing.T) *home { return &home{t: t, dir: h.dir, mark: h.mark} }

func (h *home) state() string { return filepath.Join(h.dir, "state") }
func (h *home) tmp() string   { return filepath.Join(h.dir, "tmp") }

// watchFolders returns the folders that the journal has named until ctx ends. It looks again and again; a folder that it
// misses was not there for long.
func (h *home) watchFolders(ctx context.Context) []string {
	var folders []string
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		for _, r := range h.records() {
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

// records is what the journal holds.
func (h *home) records() []journal.Record {
	j, err := journal.Open(h.state())
	if err != nil {
		return nil
	}
	records, _ := j.List()
	return records
}

// cluster is the record of the one cluster there is.
func (h *home) cluster() journal.Record {
	h.t.Helper()
	var found []journal.Record
	for _, r := range h.records() {
		if r.Kind == "cluster" {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("the journal holds %d clusters, want 1: %v", len(found), found)
	}
	return found[0]
}

// component is the number of a component's process.
func (h *home) component(name string) int {
	h.t.Helper()
	r := h.cluster()
	p, err := journal.ParseProcess(r.Data["process."+name], r.Owner)
	if err != nil {
		h.t.Fatal(err)
	}
	return p.PID
}

func (h *home) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"PATH", "TMPDIR", "CI", "REHEARSE_STATE_DIR"}, name)
	})
	return append(env, "PATH="+os.Getenv("PATH")+string(filepath.ListSeparator)+h.mark, "TMPDIR="+h.tmp(), "REHEARSE_STATE_DIR="+h.state())
}

// write writes a file of the home and returns its path.
func (h *home) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// scenario writes a scenario, given by its spec.
func (h *home) scenario(name, spec string) string {
	h.t.Helper()
	return h.write(name+".yaml", "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: "+name+"}\nspec:\n  description: Tests the program.\n"+spec)
}

// lasting are the processes that go on. One whose parent was killed ends by itself when its lifeline is cut, which takes it
// a moment.
func (h *home) lasting() []string {
	h.t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for range 100 {
		if len(marked(h.t, h.mark)) == 0 {
			return nil
		}
		<-ticker.C
	}
	return marked(h.t, h.mark)
}

// checkNothingLeft looks for what the program should have removed.
func (h *home) checkNothingLeft(folders []string) {
	h.t.Helper()
	for _, r := range h.records() {
		h.t.Errorf("left in the journal: %s %s %v", r.Kind, r.ID, r.Data)
	}
	h.checkEmpty(h.tmp())
	h.checkEmpty(filepath.Join(h.state(), "journal"))
	for _, dir := range folders {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			h.t.Errorf("left behind: %s (%v)", dir, err)
		}
	}
	for _, process := range h.lasting() {
		h.t.Errorf("still running: %s", process)
	}
}

// checkEmpty looks into a folder that may hold nothing but a lock.
func (h *home) checkEmpty(dir string) {
	h.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Error(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			h.t.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
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
