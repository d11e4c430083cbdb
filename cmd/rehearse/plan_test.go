package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/embedded"
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
		put(t, filepath.Join(dir, name), text)
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

// TestPlanForABinary: charts are rendered for the control plane that is going to run, not for the one that would be built.
func TestPlanForABinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"s.yaml":                "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  description: d\n  release: {name: r, chart: note}\n  steps: [{name: v1, install: {}}]\n",
		"note/Chart.yaml":       "apiVersion: v2\nname: note\nversion: 0.1.0\n",
		"note/templates/n.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"on-{{ .Capabilities.KubeVersion.Version }}\"}\n",
	} {
		put(t, filepath.Join(dir, name), text)
	}
	kube := otherKube(t)
	for name, test := range map[string]struct{ env, flag string }{
		"by flag":                    {"", kube},
		"by variable":                {kube, ""},
		"the flag over the variable": {os.Args[0], kube},
	} {
		cmd := exec.Command("rehearse", "plan", "s.yaml", "--kube-bin="+test.flag)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), embedded.EnvKubeBinary+"="+test.env)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ConfigMap/on-v1.35.9") {
			t.Errorf("%s: %v:\n%s", name, err, out)
		}
	}
}

// put writes a file, and the folders that it is in.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// otherKube builds a program that is made of another Kubernetes, as far as its build information says.
func otherKube(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":              "module kube\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v1.35.9\n\nreplace k8s.io/kubernetes => ./other\n",
		"main.go":             "package main\n\nimport _ \"k8s.io/kubernetes\"\n\nfunc main() {}\n",
		"other/go.mod":        "module k8s.io/kubernetes\n\ngo 1.26.0\n",
		"other/kubernetes.go": "package kubernetes\n",
	} {
		put(t, filepath.Join(dir, name), text)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "kube", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "kube")
}
