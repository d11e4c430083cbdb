package release

import (
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"

	"rehearse.dev/rehearse/charts"
)

// TestFixtureChartsLint runs helm lint, strictly, on the charts that scenarios use.
func TestFixtureChartsLint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := charts.Extract(dir); err != nil {
		t.Fatal(err)
	}
	lint := action.NewLint()
	lint.Strict = true
	var err error
	if lint.KubeVersion, err = common.ParseKubeVersion(kubeVersion); err != nil {
		t.Fatal(err)
	}
	for _, chart := range []string{"gadgets", "scoped", "shop"} {
		result := lint.Run([]string{filepath.Join(dir, chart)}, nil)
		for _, message := range result.Messages {
			t.Errorf("%s: %s", chart, message)
		}
		if result.TotalChartsLinted != 1 {
			t.Errorf("%s was not linted", chart)
		}
	}
}
