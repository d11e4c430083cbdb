package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"rehearse.dev/rehearse/harness/lifeline"
)

// childSpec is a helm process to be started.
type childSpec struct {
	path      string
	args, env []string
	dir       string
	log       *slog.Logger
	// grace is how long it may go on after it was asked to end.
	grace time.Duration
	// note is told which process it is.
	note ProcessNote
}

// child is a helm process under way.
type child struct {
	cmd  *exec.Cmd
	life lifeline.Line
	out  *logWriter
	err  *logWriter
	// gone is closed once the process has ended.
	gone chan struct{}
}

// startChild starts a process that is asked to end (SIGTERM) when ctx ends, killed after its grace, and killed with all
// that it started when this process ends.
func startChild(ctx context.Context, spec childSpec) (*child, error) {
	life, err := lifeline.New()
	if err != nil {
		return nil, err
	}
	c := &child{
		cmd: life.Command(ctx, spec.path, spec.args...), life: life, gone: make(chan struct{}),
		out: &logWriter{log: spec.log, level: slog.LevelInfo}, err: &logWriter{log: spec.log, level: slog.LevelWarn, keep: true},
	}
	c.cmd.Dir, c.cmd.Env = spec.dir, spec.env
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.err
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = spec.grace
	if err := c.cmd.Start(); err != nil {
		life.Close()
		return nil, fmt.Errorf("starting %s: %w", spec.path, err)
	}
	if err := spec.note.Started(c.cmd.Process.Pid); err != nil {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		_ = c.wait() // it was killed
		return nil, err
	}
	return c, nil
}

// wait waits until the process has ended, and ends what it may have left running. Its error is what helm said.
func (c *child) wait() error {
	err := c.cmd.Wait()
	close(c.gone)
	// The guard keeps the group's number taken, so it can be no other group by now.
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	c.life.Close()
	c.out.flush()
	c.err.flush()
	if err == nil {
		return nil
	}
	said := c.err.failure()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return ended(status.Signal(), said)
		}
	}
	if said == "" {
		return fmt.Errorf("helm: %w", err)
	}
	return errors.New(said)
}

// ended is the outcome of an operation whose process a signal has ended.
func ended(signal syscall.Signal, said string) error {
	text := fmt.Sprintf("helm was ended by %s", signalName(signal))
	if said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

func (c *child) signal(ctx context.Context, signal syscall.Signal) error {
	// Process.Signal knows whether the process was waited for, so that its number is no other's.
	if err := c.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("%w: sending it %s: %w", ErrNoProcess, signalName(signal), err)
	}
	if signal != syscall.SIGKILL {
		return nil
	}
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the end of a killed helm: %w", context.Cause(ctx))
	}
}

func signalName(signal syscall.Signal) string {
	switch signal {
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGSTOP:
		return "SIGSTOP"
	case syscall.SIGCONT:
		return "SIGCONT"
	}
	return "signal " + signal.String()
}

// maxKept bounds what is kept of what a process says.
const maxKept = 64 << 10

// logWriter logs what is written to it line by line.
type logWriter struct {
	log     *slog.Logger
	level   slog.Level
	partial []byte
	// keep keeps what was written, for failure.
	keep bool
	kept []byte
}

var _ io.Writer = (*logWriter)(nil)

// Write implements io.Writer.
func (w *logWriter) Write(p []byte) (int, error) {
	if w.keep && len(w.kept) < maxKept {
		w.kept = append(w.kept, p...)
	}
	w.partial = append(w.partial, p...)
	for {
		text, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.partial = rest
		w.log.Log(context.Background(), w.level, string(text))
	}
}

func (w *logWriter) flush() {
	if len(w.partial) > 0 {
		w.log.Log(context.Background(), w.level, string(w.partial))
		w.partial = nil
	}
}

// klogLine is a line that a library of Helm's logs, as client-go does of a watch that a signal breaks off. It has the time
// and the process in it, and says nothing of why an operation failed.
var klogLine = regexp.MustCompile(`(?m)^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [^ \n]+:\d+\] .*\n?`)

// failure is what helm said of why it failed: the text after the last "Error: " that begins a line, or all that it said.
func (w *logWriter) failure() string {
	text := strings.TrimSpace(string(klogLine.ReplaceAll(w.kept, nil)))
	at := strings.LastIndex("\n"+text, "\nError: ")
	if at < 0 {
		return text
	}
	return strings.TrimPrefix(text[at:], "Error: ")
}
