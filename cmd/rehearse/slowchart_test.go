package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSlowChart: while a repository takes its time, the user is told what the program is at.
func TestSlowChart(t *testing.T) {
	t.Parallel()
	repo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Second) // what the test is about
		http.NotFound(w, r)
	}))
	defer repo.Close()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "s.yaml"), "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  description: Tests the program.\n"+
		"  release: {name: r, chart: note, repo: \""+repo.URL+"\"}\n  steps: [{name: v1, install: {}}]\n")
	cmd := exec.Command("rehearse", "run", "s.yaml")
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), "reading scenarios and their charts") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}
