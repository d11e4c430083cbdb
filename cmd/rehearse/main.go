// Command rehearse rehearses Helm rollbacks on real control planes. This package is wiring only.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"

	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/verdict"
)

func main() {
	if code, asked := release.OwnHelm(os.Args[1:], os.Stdout, os.Stderr); asked {
		os.Exit(code)
	}
	runner.SpendMemory()
	os.Exit(Main(os.Args[1:]))
}

// Main runs the program and returns its exit code. It is apart from main so that tests can run it in-process.
func Main(args []string) int {
	hush()
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
	if exit.err == nil {
		return exit.code // all has been said
	}
	fmt.Fprintln(os.Stderr, "rehearse: "+exit.err.Error())
	return exit.codeAfter(ctx.Err() != nil)
}

// hush keeps the log lines of libraries off the user's screen: Helm and client-go write to process-wide loggers too.
// REHEARSE_DEBUG sends them to standard error.
func hush() {
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("REHEARSE_DEBUG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	slog.SetDefault(logger)
	klog.SetSlogLogger(logger)
}
