package gobuild

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

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
