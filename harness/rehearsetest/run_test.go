package rehearsetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/rehearsetest"
)

// TestRun rehearses a scenario inside go test, on a cluster of its own.
func TestRun(t *testing.T) {
	t.Parallel()
	run := rehearsetest.Run(t, []string{"../../scenarios/live/clean-rollback.yaml"})
	if len(run.Variants) != 1 || run.Variants[0].Status != "passed" {
		t.Errorf("%+v", run.Variants)
	}
}

// TestFailing is for TestFailureFailsTheTest alone.
func TestFailing(t *testing.T) {
	if os.Getenv(envFailing) == "" {
		return
	}
	dir := t.TempDir()
	scenario := `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: failing}
spec:
  description: Expects what does not come.
  release: {name: note, chart: note}
  steps: [{name: v1, install: {}}]
  assert: [{name: nine revisions, ledger: {deployed: 9}}, {ledger: {deployed: 1}}]
`
	for name, text := range map[string]string{"failing.yaml": scenario, "note/Chart.yaml": "apiVersion: v2\nname: note\nversion: 0.1.0\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment.Test(t, rehearsetest.Feature(clusterName, []string{filepath.Join(dir, "failing.yaml")}))
}

// TestFailureFailsTheTest: a scenario that fails, fails the test that runs it, and says where and why.
func TestFailureFailsTheTest(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFailing$", "-test.v")
	cmd.Env = append(os.Environ(), envFailing+"=-failing")
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	for _, says := range []string{"--- FAIL: TestFailing/", "/failing/nine_revisions", "failing.yaml:8: failed: ", "deployed", "--- PASS: TestFailing/"} {
		if !strings.Contains(text, says) {
			t.Errorf("it does not say %q:\n%s", says, text)
		}
	}
}
