package kind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEndedByItself: what containerd says of a container that is gone is told from what is a failure.
func TestEndedByItself(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`docker exec: exit status 1: ctr: no running task found: task 4f2a not found: not found`: true,
		`docker exec: exit status 1: ctr: failed to kill: process already finished: not found`:   true,
		`docker exec: exit status 1: ctr: process already finished`:                              true,
		`docker exec: exit status 1: ctr: permission denied`:                                     false,
		`Error response from daemon: container 9d is paused, unpause the container before exec`:  false,
	} {
		if got := endedByItself(errors.New(text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}

// A node that does not let itself be frozen at once is tried again; any other failure is final.
func TestFrozenAtLast(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		tries  int
		says   string
	}{
		"at the third try":     {`[ $(wc -l < "$0.asked") -ge 3 ] || { echo "OCI runtime pause failed: unable to freeze: unknown" >&2; exit 1; }`, 3, ""},
		"never, as it is gone": {`echo "No such container" >&2; exit 1`, 1, "No such container"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, err := asks(t, test.script, func(c *Cluster) error { return c.tryUntilFrozen(t.Context(), "pause", "n1") })
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want %q", err, test.says)
			}
			if strings.Count(asked, "pause n1\n") != test.tries {
				t.Errorf("tried %q, want %d times", asked, test.tries)
			}
		})
	}
}

// A node is changed once its engine says so, which podman does later than its command returns.
func TestAwaitState(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		looks  int
		says   string
	}{
		"at the third look": {`[ $(wc -l < "$0.asked") -ge 3 ] && echo exited || echo running`, 3, ""},
		"it is gone":        {`echo "No such container" >&2; exit 1`, 1, "No such container"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, err := asks(t, test.script, func(c *Cluster) error { return c.awaitState(t.Context(), "n1", "exited") })
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want %q", err, test.says)
			}
			if strings.Count(asked, "n1\n") != test.looks {
				t.Errorf("looked %q, want %d times", asked, test.looks)
			}
		})
	}
}

// When the time is up, the state last seen is told, though the engine is being asked once more.
func TestAwaitStateInVain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := asks(t, `[ $(wc -l < "$0.asked") -ge 2 ] && exec sleep 60; echo running`, func(c *Cluster) error { return c.awaitState(ctx, "n1", "exited") })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "it is running, and should have become exited") {
		t.Errorf("the error is %v", err)
	}
}

// asks has a cluster do something on an engine that a shell script plays, and returns what that was asked, a line a call.
func asks(t *testing.T, script string, do func(*Cluster) error) (asked string, failure error) {
	t.Helper()
	dir := t.TempDir()
	fakeEngine(t, dir, "engine", `echo "$@" >> "$0.asked"`+"\n"+script)
	path := filepath.Join(dir, "engine")
	failure = do(&Cluster{engine: engine{binary: path}})
	data, err := os.ReadFile(path + ".asked")
	if err != nil {
		t.Fatal(err)
	}
	return string(data), failure
}
