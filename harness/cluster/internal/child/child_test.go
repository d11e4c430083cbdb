package child

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/eventually"
)

// helperEnv makes the test binary run a shell script as a command instead of running tests.
const helperEnv = "CHILD_TEST_HELPER"

func TestMain(m *testing.M) {
	if body := os.Getenv(helperEnv); body != "" {
		if err := (Command{Path: "/bin/sh", Args: []string{"-c", body}}).Run(context.Background()); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestRun: a program has what it is given, and says how it ended.
func TestRun(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	err := Command{
		Path: "/bin/sh", Args: []string{"-c", `cat; pwd; echo "$NAME" >&2; exit 3`}, Dir: "/", Env: []string{"NAME=value"},
		Stdin: strings.NewReader("in\n"), Stdout: &out, Stderr: &errs,
	}.Run(t.Context())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || out.String() != "in\n/\n" || errs.String() != "value\n" {
		t.Errorf("%v, %q, %q", err, out.String(), errs.String())
	}
}

// TestEvery: what is called at an interval is called no more once it has been stopped.
func TestEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stop := every(time.Second, func() { calls++ })
		time.Sleep(2500 * time.Millisecond)
		stop()
		if calls != 2 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestEnds: a command that is cancelled ends with all its children.
func TestEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("enough"))
	defer cancel()
	began := time.Now()
	err := Command{Path: "/bin/sh", Args: []string{"-c", "sleep 60 & sleep 60"}}.Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "enough") || time.Since(began) > 30*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// TestEndsWithUs kills a process that runs a command; the command and its children must end with it.
func TestEndsWithUs(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	victim := exec.Command(self)
	victim.Env = append(os.Environ(), helperEnv+"=sleep 60 & echo $$ $! >"+pids+".new; mv "+pids+".new "+pids+"; sleep 60")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the command runs", func() bool { _, err := os.Stat(pids); return err == nil })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	content, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		eventually.Holds(t, "process "+text+" is gone", func() bool {
			_, err := journal.Lookup(pid)
			return errors.Is(err, syscall.ESRCH)
		})
	}
}
