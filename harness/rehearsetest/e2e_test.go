package rehearsetest_test

import (
	"os"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/rehearsetest"
)

const clusterName = "rehearsetest"

var environment env.Environment

// TestMain boots an embedded cluster the e2e-framework's way, as anybody's own tests can.
func TestMain(m *testing.M) {
	environment = env.NewWithConfig(envconf.New())
	environment.Setup(envfuncs.CreateCluster(rehearsetest.NewE2ECluster(embedded.New(), cluster.Spec{Nodes: 1}), clusterName))
	environment.Finish(envfuncs.DestroyCluster(clusterName))
	os.Exit(environment.Run(m))
}

func TestFeature(t *testing.T) {
	environment.Test(t, rehearsetest.Feature(clusterName, []string{"../../scenarios/live/clean-rollback.yaml"}))
}
