package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// helperEnv makes the test binary play one of the helpers instead of running tests.
const helperEnv = "EMBEDDED_TEST_HELPER"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(helperEnv)); len(args) > 0 {
		if err := help(args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m,
		// KWOK gives its queues and its Event broadcaster no way to end; a cluster leaves five such goroutines, idle for good.
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/utils/queue.(*delayingQueue[...]).loopWorker"),
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/utils/queue.(*weightDelayingQueue[...]).loopWorker"),
		// Its watches may end up sending to a worker that has ended before.
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/kwok/controllers.(*PodController).watchResources"),
		goleak.IgnoreAnyFunction("sigs.k8s.io/kwok/pkg/kwok/controllers.(*NodeController).watchResources"),
		goleak.IgnoreAnyFunction("k8s.io/apimachinery/pkg/watch.(*Broadcaster).loop"),
		goleak.IgnoreAnyFunction("k8s.io/client-go/tools/record.(*eventBroadcasterImpl).StartEventWatcher.func1"),
	)
}

// help plays a helper: "keep STATE-ROOT NAME" keeps a cluster, "abandon STATE-ROOT NAME DIR" leaves a record of one and its
// folder, and "dial SOCKET" connects to a socket.
func help(args []string) error {
	switch args[0] {
	case "keep":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		return kept.Serve(ctx, New(WithStateRoot(args[1])), cluster.Spec{Name: args[2], Nodes: 1})
	case "abandon":
		j, err := journal.Open(args[1])
		if err != nil {
			return err
		}
		_, err = j.Begin(journal.KindCluster, args[2], map[string]string{journal.DataProvider: providerName, kept.DataDir: args[3], kept.DataNodes: "1"})
		return errors.Join(err, os.Mkdir(args[3], 0o700))
	case "dial":
		conn, err := net.Dial("unix", args[1])
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return fmt.Errorf("no helper %q", args)
}

// helper returns a command that plays a helper.
func helper(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+strings.Join(args, " "))
	return cmd
}

// kube is the kube binary that all tests share.
var kube = sync.OnceValues(func() (string, error) { return EnsureKube(context.Background(), nil) })

// newProvider returns a provider with a journal of its own.
func newProvider(t *testing.T, opts ...Option) *Provider {
	t.Helper()
	path, err := kube()
	if err != nil {
		t.Fatal(err)
	}
	return New(append([]Option{WithKubeBinary(path), WithStateRoot(t.TempDir())}, opts...)...)
}

// boot boots a cluster that is deleted at the end of the test.
func boot(t *testing.T, p *Provider, spec cluster.Spec) *Cluster {
	t.Helper()
	spec.Progress = func(phase string) { t.Log(phase) }
	c, err := p.create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, process := range c.processes {
				t.Logf("%s:\n%s", process.name, tail(process.log, 10))
			}
		}
		if err := c.Delete(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}
