package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// TestPlanForCluster: charts are rendered for the Kubernetes version of the cluster that a plan is for.
func TestPlanForCluster(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"note/Chart.yaml":          "apiVersion: v2\nname: note\nversion: 0.1.0\nkubeVersion: \"<1.31.0\"\n",
		"note/templates/note.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"on-{{ .Capabilities.KubeVersion.Version }}\"}\n",
		"s.yaml": "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  description: Tests the program.\n" +
			"  release: {name: r, chart: note}\n  steps: [{name: v1, install: {}}]\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	j, err := journal.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Begin(journal.KindCluster, "old", map[string]string{ // kept by this process
		journal.DataProvider: "kind", kept.DataKept: "true", kept.DataState: string(kept.Ready), kept.DataVersion: "v1.30.2", kept.DataNodes: "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	plan := func(args ...string) (string, int) {
		cmd := exec.Command("rehearse", append([]string{"plan", "s.yaml"}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "REHEARSE_STATE_DIR="+state)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--cluster", "old"}, 0, "ConfigMap/on-v1.30.2"},
		{[]string{"--cluster", "old"}, 0, "needs a cluster: kind, "},
		{nil, 2, "kubeVersion: <1.31.0"},
		{[]string{"--cluster", "new"}, 2, "--cluster: attach: no such cluster: new (there are: old)"},
		{[]string{"--cluster", "old", "--provider", "embedded"}, 2, "--provider embedded: cluster old is one of provider kind"},
	} {
		if out, code := plan(test.args...); code != test.code || !strings.Contains(out, test.says) {
			t.Errorf("plan %q: exit code %d, want %d and %q:\n%s", test.args, code, test.code, test.says, out)
		}
	}
}
