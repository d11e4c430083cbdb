package kind

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// envVictim makes the test binary a process that makes the cluster "STATE-ROOT NAME", says so phase by phase, deletes it
// once its input ends, and is killed somewhere on the way.
const envVictim = "KIND_TEST_VICTIM"

func victim(args string) error {
	root, name, _ := strings.Cut(args, " ")
	c, err := New(WithStateRoot(root)).Create(context.Background(), cluster.Spec{
		Name: name, Nodes: 2, Progress: func(phase string) { fmt.Println(phase) },
	})
	if err != nil {
		return err
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println("deleting")
	return c.Delete(context.Background())
}

// A process that is killed in any phase leaves nothing that Undo does not remove.
func TestKilled(t *testing.T) {
	e := needNodeImage(t)
	// A network of our own, so that nobody else's cluster keeps it.
	t.Setenv("KIND_EXPERIMENTAL_DOCKER_NETWORK", "rehearse-test-"+randomHex(4))
	for _, phase := range []string{
		"node image ", "preparing nodes", "writing configuration", "starting control-plane", "joining worker nodes",
		"waiting for nodes", "Kubernetes ", "deleting",
	} {
		t.Run(strings.TrimSpace(phase), func(t *testing.T) {
			j, root := newJournal(t)
			name := "rehearse-test-" + randomHex(4)
			volumes := killAt(t, e, root, name, phase)
			report, err := j.Collect(t.Context(), []journal.Undo{{Kind: journal.KindCluster, Remove: Undo}}, journal.CollectOptions{})
			if err != nil || len(report.Failed) > 0 {
				t.Fatalf("collected: %+v, %v", report, err)
			}
			checkNothingLeft(t, e, leftovers{root: root, name: name, volumes: volumes})
		})
	}
}

// killAt starts a victim and kills it once it says that a phase begins. It returns the volumes that its nodes had then.
func killAt(t *testing.T, e engine, root, name, phase string) (volumes []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envVictim+"="+root+" "+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Kubernetes ") {
			_ = in.Close()
		}
		if said = strings.HasPrefix(lines.Text(), phase); said {
			break
		}
	}
	volumes = volumesOf(t, e, name)
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it was not killed: %v", err)
	}
	if !said {
		t.Fatalf("it never said %q", phase)
	}
	return volumes
}

func volumesOf(t *testing.T, e engine, name string) []string {
	t.Helper()
	nodes := remains(t, e, name)
	if len(nodes) == 0 {
		return nil
	}
	volumes, _ := e.words(t.Context(), append([]string{"inspect", "--format", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`}, nodes...)...)
	return volumes
}

// leftovers is what could be left of a cluster.
type leftovers struct {
	root, name string
	volumes    []string
}

func checkNothingLeft(t *testing.T, e engine, l leftovers) {
	t.Helper()
	if nodes := remains(t, e, l.name); len(nodes) > 0 {
		t.Errorf("nodes left: %v", nodes)
	}
	all := " " + strings.ReplaceAll(must(t, e, "volume", "ls", "-q"), "\n", " ") + " "
	for _, volume := range l.volumes {
		if strings.Contains(all, " "+volume+" ") {
			t.Errorf("volume left: %s", volume)
		}
	}
	networks, _ := e.words(t.Context(), "network", "ls", "--format", "{{.Name}}", "--filter", "label="+networkLabel+"="+l.name)
	for _, name := range networks {
		if users, _ := e.words(t.Context(), "ps", "-a", "-q", "--filter", "network="+name); len(users) == 0 {
			t.Errorf("network left: %s", name)
		}
	}
	folders, err := filepath.Glob(filepath.Join(l.root, "kind", "*"))
	records, _ := filepath.Glob(filepath.Join(l.root, "journal", "*@*"))
	if err != nil || len(folders)+len(records) > 0 {
		t.Errorf("left: %v %v %v", folders, records, err)
	}
}
