package rehearsetest_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"rehearse.dev/rehearse/harness/rehearsetest"
)

// asHelm is a scenario of driver cli under a field manager of its own, which only a helm of ours can be told. It takes the
// API server of its cluster away for a moment, so that it shows that all that a cluster can do is within reach.
const asHelm = `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: as-helm}
spec:
  description: Runs the test binary as helm.
  cluster: {isolation: namespace}
  release: {name: note, chart: note, driver: cli, fieldManager: pipeline}
  faults:
  - {name: gone, killAPIServer: {for: 1s}}
  steps:
  - {name: v1, install: {}}
  - {name: away, inject: gone}
  - {name: v2, upgrade: {values: {text: more}}}
  - {name: back, rollback: 1}
  assert:
  - firings: {fault: gone, at: away, min: 1}
  - ownership: {at: back, object: ConfigMap/note, field: .data.text, managers: [pipeline]}
  - ledger: {at: back, deployed: 3}
`

// TestWithHelm runs driver cli as anybody's own tests can.
func TestWithHelm(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"as-helm.yaml":    asHelm,
		"note/Chart.yaml": "apiVersion: v2\nname: note\nversion: 0.1.0\n",
		"note/templates/note.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: note}
data: {text: {{ .Values.text | default "some" }}}
`,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	environment.Test(t, rehearsetest.Feature(clusterName, []string{filepath.Join(dir, "as-helm.yaml")}, rehearsetest.WithHelm(ownHelm)))
}
