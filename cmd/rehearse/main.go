// Command rehearse rehearses Helm rollbacks on real control planes. This package is wiring only.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"rehearse.dev/rehearse/harness/verdict"
)

func main() {
	os.Exit(Main(os.Args[1:]))
}

// Main runs the program and returns its exit code. It is apart from main so that tests can run it in-process.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return verdict.ExitPassed
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = usageError(err)
	}
	if exit.err != nil {
		fmt.Fprintln(os.Stderr, "rehearse: "+exit.err.Error())
	}
	return exit.code
}
