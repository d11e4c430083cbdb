package gobuild

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

	"rehearse.dev/rehearse/harness/cluster/internal/child"
)

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
	var count atomic.Int64
	stderr := &lineWriter{each: func(string) { count.Add(1) }}
	stdout := &lineWriter{each: func(s string) {
		if c.out != nil {
			c.out(s)
		}
	}}
	temp := filepath.Join(c.dir, tempDir)
	env := []string{"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly", "PWD=" + c.dir, "GOTMPDIR=" + temp, "TMPDIR=" + temp}
	err := child.Command{
		Path: c.path, Args: c.args, Dir: c.dir, Stdout: stdout, Stderr: stderr,
		Env:    append(env, c.env...),
		Report: func() { progress(c.describe(int(count.Load()))) },
	}.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("go %s: %w", c.args[0], err)
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
