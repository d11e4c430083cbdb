package kind

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/eventually"
)

// Nodes go in whatever state they are, with their anonymous volumes; nodes of others stay.
func TestRemoveNodes(t *testing.T) {
	t.Parallel()
	e := docker(t)
	image := sleepImage(t, e)
	needStart(t, e, image)
	name, other := "rehearse-test-"+randomHex(4), "rehearse-test-"+randomHex(4)
	t.Cleanup(func() { _ = e.removeNodes(context.Background(), other) })
	var volumes []string
	run := func(cluster, node string) {
		t.Helper()
		must(t, e, "run", "-d", "--name", cluster+node, "--label", clusterLabel+"="+cluster, "--volume", "/var", image)
		volumes = append(volumes, must(t, e, "inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", cluster+node))
	}
	for _, node := range []string{"-running", "-paused", "-killed"} {
		run(name, node)
	}
	run(other, "-running")
	must(t, e, "create", "--name", name+"-created", "--label", clusterLabel+"="+name, "--volume", "/var", image)
	must(t, e, "pause", name+"-paused")
	must(t, e, "kill", name+"-killed")
	if nodes := remains(t, e, name); len(nodes) != 4 {
		t.Fatalf("nodes: %v", nodes)
	}
	for range 2 { // removing what is gone is no error
		if err := e.removeNodes(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if nodes := remains(t, e, name); len(nodes) > 0 {
		t.Errorf("left: %v", nodes)
	}
	left, err := e.words(t.Context(), "volume", "ls", "-q")
	if err != nil {
		t.Fatal(err)
	}
	for i, volume := range volumes {
		if ours := i < 3; slices.Contains(left, volume) == ours {
			t.Errorf("volume %d is there: %v", i, !ours)
		}
	}
	if nodes := remains(t, e, other); len(nodes) != 1 {
		t.Errorf("of another cluster: %v", nodes)
	}
}

// What kind makes for podman before there is a node goes too, and nothing of a cluster whose name begins alike.
func TestLabelledVolumes(t *testing.T) {
	dir := t.TempDir()
	fakeEngine(t, dir, "podman", `cat <<'END'
one {"c-control-plane":"true"}
two {"c-worker2":"true"}
three {"c-2-worker":"true"}
four {"c-worker-x":"true"}
five {}
six null
END`)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	got, err := engine{binary: "podman"}.labelledVolumes(t.Context(), "c")
	if err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("volumes %q, %v", got, err)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	e := docker(t)
	image := sleepImage(t, e)
	j, root := newJournal(t)
	n := network{engine: e, name: "rehearse-test-" + randomHex(4), cluster: "mine", stateRoot: root}
	t.Cleanup(func() { _, _ = e.run(context.Background(), "network", "rm", n.name) })
	ensure := func() {
		t.Helper()
		for range 2 {
			if err := n.ensure(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(when string, want bool) {
		t.Helper()
		if err := n.remove(t.Context()); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got, err := n.present(t.Context()); err != nil || got != want {
			t.Errorf("%s: the network is there: %v, %v", when, got, err)
		}
	}
	ensure()
	check("nobody uses it", false)
	check("it is gone", false)
	ensure()
	user := must(t, e, "create", "--network", n.name, image)
	check("a container that does not run uses it", true)
	must(t, e, "rm", user)
	entry, err := j.Begin(journal.KindCluster, "another", map[string]string{journal.DataProvider: ProviderName})
	if err != nil {
		t.Fatal(err)
	}
	check("another cluster needs it", true)
	if err := entry.Done(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Begin(journal.KindCluster, "embedded", map[string]string{journal.DataProvider: "embedded"}); err != nil {
		t.Fatal(err)
	}
	check("an embedded cluster does not need it", false)
	must(t, e, "network", "create", n.name)
	ensure()
	check("it is the user's", true)
}

// What a killed process was still making goes as well: its command survived it.
func TestUndoEndsOrphans(t *testing.T) {
	t.Parallel()
	e := docker(t)
	image := sleepImage(t, e)
	name := "rehearse-test-" + randomHex(4)
	orphan := exec.Command(e.binary, "run", "--name", name+"-node", "--label", clusterLabel+"="+name, "--volume", "/var", image)
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()
	root := t.TempDir()
	dir := filepath.Join(root, "kind", journal.DirPrefix+"x")
	if err := makeDirs(dir); err != nil {
		t.Fatal(err)
	}
	record := journal.Record{Kind: journal.KindCluster, ID: name, Data: map[string]string{
		journal.DataProvider: ProviderName, kept.DataDir: dir, kept.DataState: string(kept.Starting), dataEngine: e.binary, dataStateRoot: root, dataNetwork: kindNetwork,
	}}
	eventually.Holds(t, "the node is made", func() bool { return len(remains(t, e, name)) > 0 })
	if err := Undo(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the command was not ended")
	}
	if nodes := remains(t, e, name); len(nodes) > 0 {
		t.Errorf("left: %v", nodes)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "kind", "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	record.Data[journal.DataProvider] = "embedded"
	if err := Undo(t.Context(), record); err == nil {
		t.Error("a record of another provider was undone")
	}
}
