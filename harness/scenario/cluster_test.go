package scenario_test

import (
	"os"
	"path/filepath"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/scenario"
)

// TestNodes has a kind configuration decide how many nodes there are, unless the scenario does.
func TestNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	two := "nodes:\n- role: control-plane\n- role: worker\n"
	if err := os.WriteFile(filepath.Join(dir, "two.yaml"), []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	inline := map[string]any{"nodes": []any{map[string]any{"role": "control-plane"}}}
	for name, tc := range map[string]struct {
		cluster v1alpha1.Cluster
		want    int
	}{
		"nothing said":       {v1alpha1.Cluster{Provider: "embedded"}, 3},
		"said":               {v1alpha1.Cluster{Provider: "embedded", Nodes: 1}, 1},
		"kind, nothing said": {v1alpha1.Cluster{Provider: "kind"}, 3},
		"lists none":         {v1alpha1.Cluster{Provider: "kind", Kind: &v1alpha1.KindCluster{Config: map[string]any{}}}, 3},
		"inline":             {v1alpha1.Cluster{Provider: "kind", Kind: &v1alpha1.KindCluster{Config: inline}}, 1},
		"file":               {v1alpha1.Cluster{Provider: "kind", Kind: &v1alpha1.KindCluster{ConfigFile: "two.yaml"}}, 2},
		"more than listed":   {v1alpha1.Cluster{Provider: "kind", Nodes: 5, Kind: &v1alpha1.KindCluster{ConfigFile: "two.yaml"}}, 5},
		"no such file":       {v1alpha1.Cluster{Provider: "kind", Kind: &v1alpha1.KindCluster{ConfigFile: "gone.yaml"}}, 3},
		"for another one":    {v1alpha1.Cluster{Provider: "embedded", Kind: &v1alpha1.KindCluster{ConfigFile: "two.yaml"}}, 3},
	} {
		if got := scenario.Nodes(dir, tc.cluster); got != tc.want {
			t.Errorf("%s: %d nodes, want %d", name, got, tc.want)
		}
	}
}
