package nodeimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rehearse.dev/rehearse/harness/lifeline"
)

// keptOutput is how much of what a command said its error shows.
const keptOutput = 2 << 10

// command is one call of somebody else's program. It ends with this process, however that ends.
type command struct {
	name  string
	args  []string
	env   []string
	dir   string
	stdin io.Reader
	// said receives the lines that the program prints; nil collects standard output instead.
	said func(line string)
}

// run returns standard output. The error of a program that failed is a *commandError.
func (c command) run(ctx context.Context) (output string, err error) {
	path, err := exec.LookPath(c.name)
	if err != nil {
		return "", err
	}
	line, err := lifeline.New()
	if err != nil {
		return "", err
	}
	defer line.Close()
	cmd := line.Command(ctx, path, c.args...)
	cmd.Dir, cmd.Stdin = c.dir, c.stdin
	cmd.Env = append(os.Environ(), c.env...)
	var stdout bytes.Buffer
	tail := &tailWriter{said: c.said}
	cmd.Stdout, cmd.Stderr = &stdout, tail
	if c.said != nil {
		cmd.Stdout = tail
	}
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", c, context.Cause(ctx))
	case err != nil:
		said, _, _ := strings.Cut(string(tail.kept), "\nRun 'docker ") // its hint at --help helps nobody here
		return "", &commandError{command: c.String(), err: err, output: strings.TrimSpace(said)}
	}
	return strings.TrimSpace(stdout.String()), nil
}

// String names the command and what it was to do: its first argument, as the others are many.
func (c command) String() string {
	return strings.Join(append([]string{filepath.Base(c.name)}, c.args[:min(1, len(c.args))]...), " ")
}

// commandError is a program that failed.
type commandError struct {
	command string
	err     error
	// output is the end of what it said.
	output string
}

func (e *commandError) Error() string {
	if e.output == "" {
		return fmt.Sprintf("%s: %v", e.command, e.err)
	}
	return fmt.Sprintf("%s: %v: %s", e.command, e.err, e.output)
}

func (e *commandError) Unwrap() error { return e.err }

// says tells whether an error is of a program that said something.
func says(err error, text string) bool {
	var failed *commandError
	return errors.As(err, &failed) && strings.Contains(strings.ToLower(failed.output), text)
}

// tailWriter keeps the end of what is written to it, and passes on whole lines.
type tailWriter struct {
	said    func(line string)
	kept    []byte
	partial []byte
}

func (w *tailWriter) Write(p []byte) (int, error) {
	w.kept = append(w.kept, p...)
	w.kept = w.kept[max(0, len(w.kept)-keptOutput):]
	if w.said == nil {
		return len(p), nil
	}
	w.partial = append(w.partial, p...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.said(string(line))
		w.partial = rest
	}
}
