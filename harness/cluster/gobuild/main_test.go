package gobuild

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// helperEnv makes the test binary build the test's program instead of running tests: its value is "STATE-ROOT CACHE GO".
const helperEnv = "GOBUILD_TEST_HELPER"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(helperEnv)); len(args) == 3 {
		if err := help(args[0], args[1], args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func help(stateRoot, cache, goCommand string) error {
	j, err := journal.Open(stateRoot)
	if err != nil {
		return err
	}
	b := Builder{cache: cache, journal: j, goCommand: goCommand, progress: func(string) {}}
	_, err = b.Ensure(context.Background(), program())
	return err
}

// helper returns a command that plays the helper.
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

// eventually waits for something that cannot be watched.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

// once calls do as soon as ok, in the background and unless ctx ends first.
func once(ctx context.Context, ok func() bool, do func()) {
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for !ok() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
		do()
	}()
}
