package runner

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInputs: a plan notes each file that it reads beside the scenario, and a digest that goes with its content.
func TestInputs(t *testing.T) {
	t.Parallel()
	helm := filepath.Join(t.TempDir(), "helm")
	spec := `  cluster: {provider: kind, kind: {configFile: _files/kind.yaml, images: [_files/images.tar, shop:2]}}
  release: {name: r, chart: tiny, driver: cli, valueFiles: [_files/values.yaml]}
  steps:
  - {name: v1, install: {helm: {path: ` + helm + `}}}
  - {name: back, rollback: 1}
`
	const config = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"
	digests := func(program string) map[string]string {
		files := map[string]string{"_files/kind.yaml": config, "_files/images.tar": "images", "_files/values.yaml": "{}\n"}
		if err := os.WriteFile(helm, []byte(program), 0o700); err != nil { // as only what can be executed is a helm
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, input := range prepare(t, map[string]string{"s": spec}, files)[0].Inputs {
			i := strings.LastIndex(input.Name, " ")
			all[input.Name[:i+1]+filepath.Base(input.Name[i+1:])] = input.Digest
		}
		return all
	}
	first, second := digests("one"), digests("another")
	want := []string{"chart tiny", "file images.tar", "file kind.yaml", "helm helm", "value file values.yaml"}
	if got := slices.Sorted(maps.Keys(first)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, digest := range first {
		if changed := digest != second[name]; changed != (name == "helm helm") {
			t.Errorf("digest of %s changed: %v", name, changed)
		}
	}
}
