package rehearsetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/kind"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/rehearsetest"
)

// created is an environment with a cluster that goes when the test ends.
func created(t *testing.T, provider cluster.Provider, spec cluster.Spec, name string) (context.Context, env.Environment) {
	t.Helper()
	e := env.NewWithConfig(envconf.New())
	ctx, err := envfuncs.CreateCluster(rehearsetest.NewE2ECluster(provider, spec), name)(t.Context(), e.EnvConf())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := envfuncs.DestroyCluster(name)(context.WithoutCancel(ctx), e.EnvConf()); err != nil {
			t.Error(err)
		}
	})
	return ctx, e.WithContext(ctx)
}

// TestNodes stops and starts a node the e2e-framework's way.
func TestNodes(t *testing.T) {
	t.Parallel()
	const name = "rehearsetest-nodes"
	ctx, _ := created(t, embedded.New(), cluster.Spec{Nodes: 2}, name)
	found, _ := envfuncs.GetClusterFromContext(ctx, name)
	c, ok := found.(types.E2EClusterProviderWithLifeCycle)
	if !ok {
		t.Fatalf("%T has no life cycle", found)
	}
	node := &types.Node{Name: "node-2"}
	if err := c.StopNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	awaitNodes(ctx, t, c, map[string]string{"node-1": rehearsetest.NodeReady, "node-2": rehearsetest.NodeNotReady})
	if err := c.StartNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	awaitNodes(ctx, t, c, map[string]string{"node-1": rehearsetest.NodeReady, "node-2": rehearsetest.NodeReady})
	if err := c.AddNode(ctx, &types.Node{Name: "extra", Role: "worker"}); err != nil {
		t.Fatal(err)
	}
	if err := c.AddNode(ctx, node); !errors.Is(err, cluster.ErrNodeExists) {
		t.Errorf("adding %s again: %v", node.Name, err)
	}
	awaitNodes(ctx, t, c, map[string]string{"node-1": rehearsetest.NodeReady, "node-2": rehearsetest.NodeReady, "extra": rehearsetest.NodeReady})
	if err := c.RemoveNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	awaitNodes(ctx, t, c, map[string]string{"node-1": rehearsetest.NodeReady, "extra": rehearsetest.NodeReady})
	for what, err := range map[string]error{
		"a control plane's node": c.AddNode(ctx, &types.Node{Name: "more", Role: "control-plane"}),
		"further arguments":      c.RemoveNode(ctx, node, "--force"),
		"a node of no cluster":   rehearsetest.NewE2ECluster(embedded.New(), cluster.Spec{}).AddNode(ctx, node),
	} {
		if !errors.Is(err, rehearsetest.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// awaitNodes waits until the nodes are in these states.
func awaitNodes(ctx context.Context, t *testing.T, c types.E2EClusterProviderWithLifeCycle, want map[string]string) {
	t.Helper()
	var last []types.Node
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		nodes, err := c.ListNode(ctx)
		last = nodes
		for _, n := range nodes {
			if want[n.Name] != n.State {
				return false, err
			}
		}
		return len(nodes) == len(want), err
	})
	if err != nil {
		t.Fatalf("want %v, the nodes are %+v: %v", want, last, err)
	}
}

// TestFeatureOnKind rehearses the same files on real nodes, of a cluster that is as its kind config says, stops and starts
// one of them, and replaces it.
func TestFeatureOnKind(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: this test needs a container engine")
	}
	if out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", kind.OwnImage).CombinedOutput(); err != nil {
		t.Skipf("this test needs a container engine that has node image %s: %v: %.200s", kind.OwnImage, err, out)
	}
	entry, err := providers.Registry().Lookup(kind.ProviderName)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := entry.Code.New(providers.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const name = "rehearsetest-kind"
	config := filepath.Join(t.TempDir(), "kind.yaml")
	if err := os.WriteFile(config, []byte("nodes: [{role: control-plane}, {role: worker, labels: {tests.example/zone: a}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := env.NewWithConfig(envconf.New())
	ctx, err := envfuncs.CreateClusterWithConfig(rehearsetest.NewE2ECluster(provider, cluster.Spec{}), name, config)(t.Context(), e.EnvConf())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := envfuncs.DestroyCluster(name)(context.WithoutCancel(ctx), e.EnvConf()); err != nil {
			t.Error(err)
		}
	})
	e.WithContext(ctx).Test(t, rehearsetest.Feature(name, []string{"../../scenarios/live/clean-rollback.yaml"}, rehearsetest.WithProvider(kind.ProviderName)))

	found, _ := envfuncs.GetClusterFromContext(ctx, name)
	c, ok := found.(types.E2EClusterProviderWithLifeCycle)
	if !ok {
		t.Fatalf("the environment holds a %T", found)
	}
	plane, worker := name+"-control-plane", name+"-worker"
	awaitNodes(ctx, t, c, map[string]string{plane: rehearsetest.NodeReady, worker: rehearsetest.NodeReady})
	if err := c.StopNode(ctx, &types.Node{Name: worker}); err != nil {
		t.Fatal(err)
	}
	awaitNodes(ctx, t, c, map[string]string{plane: rehearsetest.NodeReady, worker: rehearsetest.NodeNotReady})
	if err := c.StartNode(ctx, &types.Node{Name: worker}); err != nil {
		t.Fatal(err)
	}
	awaitNodes(ctx, t, c, map[string]string{plane: rehearsetest.NodeReady, worker: rehearsetest.NodeReady})
	added := name + "-worker2"
	if err := c.AddNode(ctx, &types.Node{Name: added}); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveNode(ctx, &types.Node{Name: worker}); err != nil {
		t.Fatal(err)
	}
	awaitNodes(ctx, t, c, map[string]string{plane: rehearsetest.NodeReady, added: rehearsetest.NodeReady})
}
