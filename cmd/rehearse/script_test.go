package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write golden files and scripts anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rehearse": main})
}

// TestScripts runs the program as a user would, in scripts that show what each command prints and returns.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, Setup: badFiles,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits is a command of scripts: exits CODE PROGRAM ARGS... runs a program and demands an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// badFiles writes what a script cannot hold.
func badFiles(env *testscript.Env) error {
	dir := filepath.Join(env.WorkDir, "_odd") // which is no part of the folder above it
	deep := "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: deep}\nspec:\n  description: Is deep.\n  release: {name: r, chart: \"oci://example.invalid/r\"}\n" +
		"  steps: [{name: v1, install: {values: {a: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}}}]\n"
	return errors.Join(
		os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "binary.yaml"), []byte("\x7fELF\x02\x01\x01\x00\x00"), 0o644),
		os.WriteFile(filepath.Join(dir, "deep.yaml"), []byte(deep), 0o644),
	)
}
