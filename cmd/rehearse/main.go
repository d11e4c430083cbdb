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
	"time"

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
	outliveReaders()
	ctx, stop := interruptible()
	defer stop()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(perhapsRead{os.Stdout})
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
	return exit.codeAfter(ctx.Err() != nil && !exit.settled)
}

// interruptible is a context that the first Ctrl-C ends, so that what was made is removed. The second one ends the program
// at once, as by default, but says first what that leaves to do.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	all := make(chan os.Signal, 2)
	signal.Notify(all, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-all // ctx tells of it
		again := <-all
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		said := make(chan struct{})
		go func() { // may block, where nobody reads
			fmt.Fprintln(os.Stderr, "rehearse: stopped at once; rehearse gc removes what is left, if anything is")
			close(said)
		}()
		select {
		case <-said:
		case <-time.After(100 * time.Millisecond):
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(again) == nil {
			time.Sleep(time.Second) // ends here, unless the signal was ignored when the program was started
		}
		os.Exit(verdict.ExitInterrupted)
	}()
	return ctx, stop
}

// outliveReaders lets the program go on when whoever reads its output has left: a write then fails, where by default it
// would kill the program, and nobody would remove what that has made. SIGPIPE is caught and dropped rather than ignored,
// since children inherit what is ignored; theirs is the default again.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// perhapsRead is standard output, to which nothing fails to be written only because its reader has left.
type perhapsRead struct{ file *os.File }

func (p perhapsRead) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	return n, err
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
