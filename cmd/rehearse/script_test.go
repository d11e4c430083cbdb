package main

import (
	"flag"
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
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true})
}
