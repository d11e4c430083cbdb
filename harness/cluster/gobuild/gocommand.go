package gobuild

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"rehearse.dev/rehearse/harness/lifeline"
)

// reportEvery is how often a build says how far it is.
const reportEvery = 5 * time.Second

// goCommand is one call of the go command.
type goCommand struct {
	path, dir string
	args      []string
	// env is set beside this process's own.
	env []string
	// out receives the lines of standard output; nil discards them.
	out func(line string)
	// describe says how far it is after so many lines of standard error.
	describe func(lines int) string
}

func (c goCommand) run(ctx context.Context, progress func(string)) error {
	line, err := lifeline.New()
	if err != nil {
		return err
	}
	defer line.Close()
	var count atomic.Int64
	stderr := &lineWriter{each: func(string) { count.Add(1) }}
	stdout := &lineWriter{each: func(s string) {
		if c.out != nil {
			c.out(s)
		}
	}}
	cmd := line.Command(ctx, c.path, c.args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly", "PWD="+c.dir)
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	stop := every(reportEvery, func() { progress(c.describe(int(count.Load()))) })
	err = cmd.Run()
	stop()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("go %s: %w", c.args[0], context.Cause(ctx))
	case err != nil:
		return &goError{args: c.args, err: err, output: strings.Join(stderr.last, "\n")}
	}
	return nil
}

// goError is a go command that failed.
type goError struct {
	args   []string
	err    error
	output string
}

func (e *goError) Error() string {
	return fmt.Sprintf("go %s: %v; the end of what it said:\n%s", e.args[0], e.err, e.output)
}

func (e *goError) Unwrap() error { return e.err }

// every calls do at an interval until the returned function is called, which waits for a call under way.
func every(interval time.Duration, do func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				do()
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// lineWriter calls each for every line and keeps the last ones.
type lineWriter struct {
	each    func(line string)
	last    []string
	partial []byte
}

// keptLines is how many lines of a failed command an error shows.
const keptLines = 15

func (w *lineWriter) Write(p []byte) (int, error) {
	w.partial = append(w.partial, p...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.each(string(line))
		w.last = append(w.last, string(line))
		w.last = w.last[max(0, len(w.last)-keptLines):]
		w.partial = rest
	}
}
