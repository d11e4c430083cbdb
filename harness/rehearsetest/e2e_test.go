package rehearsetest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/rehearsetest"
)

// envFailing makes the test binary one whose TestFailing fails.
const envFailing = "REHEARSETEST_FAILING"

var clusterName = "rehearsetest" + os.Getenv(envFailing)

var (
	environment env.Environment
	ownHelm     rehearsetest.Helm
)

// TestMain boots an embedded cluster the e2e-framework's way, as anybody's own tests can.
func TestMain(m *testing.M) {
	ownHelm = rehearsetest.OwnHelm()
	environment = env.NewWithConfig(envconf.New())
	environment.Setup(envfuncs.CreateCluster(rehearsetest.NewE2ECluster(embedded.New(), cluster.Spec{Nodes: 2}), clusterName))
	environment.Finish(envfuncs.DestroyCluster(clusterName))
	os.Exit(environment.Run(m))
}

func TestFeature(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	paths := []string{"../../scenarios/live/clean-rollback.yaml", "../../scenarios/ownership/scaler-conflict.yaml"}
	environment.Test(t, rehearsetest.Feature(clusterName, paths,
		rehearsetest.WithDir(dir), rehearsetest.WithSeed(7), rehearsetest.WithParallel(2)))
	var run struct{ Seed int64 }
	data, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil || json.Unmarshal(data, &run) != nil || run.Seed != 7 {
		t.Errorf("run.json: %v, %s; want a run with seed 7", err, data)
	}
	for _, scenario := range []string{"clean-rollback", "scaler-conflict"} {
		if _, err := os.Stat(filepath.Join(dir, scenario, "verdict.json")); err != nil {
			t.Errorf("the evidence of %s was not kept: %v", scenario, err)
		}
	}
}
