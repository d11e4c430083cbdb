package kind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"rehearse.dev/rehearse/harness/cluster"
)

// An interrupted creation ends soon and leaves nothing.
func TestInterrupted(t *testing.T) {
	e := needNodeImage(t)
	for _, phase := range []string{"preparing nodes", "starting control-plane", "waiting for nodes"} {
		t.Run(phase, func(t *testing.T) {
			_, root := newJournal(t)
			gaveUp := errors.New("somebody lost patience")
			ctx, cancel := context.WithCancelCause(t.Context())
			name := "rehearse-test-" + randomHex(4)
			_, err := New(WithStateRoot(root)).Create(ctx, cluster.Spec{Name: name, Nodes: 1, Progress: func(now string) {
				if strings.HasPrefix(now, phase) {
					cancel(gaveUp)
				}
			}})
			if !errors.Is(err, gaveUp) {
				t.Errorf("error: %v", err)
			}
			checkNothingLeft(t, e, leftovers{root: root, name: name})
		})
	}
}

// A cluster that cannot be made says what failed, its logs are kept where they were asked for, and nothing is left.
func TestFails(t *testing.T) {
	e := needNodeImage(t)
	_, root := newJournal(t)
	logs, name := t.TempDir(), "rehearse-test-"+randomHex(4)
	config := &v1alpha4.Cluster{KubeadmConfigPatches: []string{"kind: ClusterConfiguration\nnetworking: {serviceSubnet: nonsense}\n"}}
	_, err := New(WithStateRoot(root), WithConfig(config), WithFailureLogs(logs)).Create(t.Context(), cluster.Spec{Name: name})
	if err == nil {
		t.Fatal("a cluster was made of nonsense")
	}
	for _, says := range []string{"starting control-plane", "nonsense", logs} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if info, err := os.Stat(filepath.Join(logs, name, name+"-control-plane", "kubelet.log")); err != nil || info.Size() == 0 {
		t.Errorf("the kubelet's log: %v", err)
	}
	checkNothingLeft(t, e, leftovers{root: root, name: name})
}

// Two clusters come up at once and do not disturb each other.
func TestTwoAtOnce(t *testing.T) {
	e := needNodeImage(t)
	_, root := newJournal(t)
	provider := New(WithStateRoot(root))
	names := []string{"rehearse-test-" + randomHex(4), "rehearse-test-" + randomHex(4)}
	var group errgroup.Group
	for _, name := range names {
		group.Go(func() error {
			c, err := provider.Create(t.Context(), cluster.Spec{Name: name, Nodes: 1})
			if err != nil {
				return err
			}
			return c.Delete(context.WithoutCancel(t.Context()))
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	for _, name := range names {
		checkNothingLeft(t, e, leftovers{root: root, name: name})
	}
}

// A cluster that the journal does not know is not touched.
func TestNameOfOthers(t *testing.T) {
	e := needNodeImage(t)
	image := sleepImage(t, e)
	j, root := newJournal(t)
	name := "rehearse-test-" + randomHex(4)
	must(t, e, "create", "--name", name+"-control-plane", "--label", clusterLabel+"="+name, image)
	t.Cleanup(func() { _ = e.removeNodes(context.Background(), name) })
	_, err := New(WithStateRoot(root)).Create(t.Context(), cluster.Spec{Name: name, Nodes: 1})
	if !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), "kind delete cluster --name "+name) {
		t.Errorf("error: %v", err)
	}
	if nodes := remains(t, e, name); len(nodes) != 1 {
		t.Errorf("nodes: %v", nodes)
	}
	if records, err := j.List(); err != nil || len(records) > 0 {
		t.Errorf("journal: %v, %v", records, err)
	}
}
