package release

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script starts a shell script as if it were helm. It returns once the script has said that it is ready.
func script(t *testing.T, ctx context.Context, grace time.Duration, text string) (*child, *said) { //nolint:revive // t comes first in a helper
	t.Helper()
	log := &said{lines: make(chan string, 10)}
	c, err := startChild(ctx, childSpec{
		path: "/bin/sh", args: []string{"-c", text}, env: []string{"PATH=/usr/bin:/bin"}, dir: t.TempDir(), log: slog.New(log), grace: grace, note: unnoted{},
	})
	if err != nil {
		t.Fatal(err)
	}
	for line := range log.lines { // what it says on standard error may come before
		if line == "ready" {
			break
		}
	}
	return c, log
}

// said is a log handler that passes lines on.
type said struct {
	slog.Handler
	lines chan string
}

func (s *said) Enabled(context.Context, slog.Level) bool { return true }

func (s *said) Handle(_ context.Context, r slog.Record) error {
	s.lines <- r.Message
	return nil
}

func TestChildOutcome(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"success":      {"echo ready; echo level=WARN >&2", ""},
		"failure":      {"echo ready; echo level=WARN >&2; echo 'Error: UPGRADE FAILED: no\nand why' >&2; exit 1", "UPGRADE FAILED: no\nand why"},
		"without word": {"echo ready; exit 3", "helm: exit status 3"},
		"killed":       {"echo ready; kill -9 $$", "helm was ended by SIGKILL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := script(t, t.Context(), time.Minute, test.text)
			if err := c.wait(); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestChildSignals: stopped, it does nothing until it is continued; killed, it is gone when Signal returns.
func TestChildSignals(t *testing.T) {
	t.Parallel()
	c, log := script(t, t.Context(), time.Minute, "trap 'echo continued' CONT; echo ready; while :; do sleep 0.05; done")
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := c.signal(t.Context(), signal); err != nil {
			t.Fatal(err)
		}
	}
	if line := <-log.lines; line != "continued" {
		t.Errorf("it said %q", line)
	}
	outcome := make(chan error, 1)
	go func() { outcome <- c.wait() }()
	if err := c.signal(t.Context(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.signal(t.Context(), syscall.SIGKILL); !errors.Is(err, ErrNoProcess) {
		t.Errorf("a second time: %v", err)
	}
	if err := <-outcome; err == nil || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("its outcome: %v", err)
	}
}

// TestChildCancelled: it is asked to end first, and killed once its grace is over.
func TestChildCancelled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grace      time.Duration
		text, want string
	}{
		"obeys":     {time.Minute, "trap 'echo Error: cancelled >&2; exit 1' TERM; echo ready; while :; do sleep 0.05; done", "cancelled"},
		"obeys not": {50 * time.Millisecond, "trap '' TERM; echo ready; while :; do sleep 0.05; done", "helm was ended by SIGKILL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			c, _ := script(t, ctx, test.grace, test.text)
			cancel()
			if err := c.wait(); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestLogWriter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &logWriter{log: slog.New(slog.NewTextHandler(&out, nil)), keep: true}
	for _, part := range []string{"one\ntw", "o\nthree"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	for _, line := range []string{"msg=one\n", "msg=two\n", "msg=three\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is missing in %q", line, out.String())
		}
	}
	if got := w.failure(); got != "one\ntwo\nthree" {
		t.Errorf("failure is %q", got)
	}
}

// TestFailureWithoutLogs: what client-go logs of a watch that a signal broke off is no reason why helm failed.
func TestFailureWithoutLogs(t *testing.T) {
	t.Parallel()
	const logged = `I1127 20:57:56.719246   30028 reflector.go:664] "Warning: watch ended with error" err="unable to decode an event"` + "\n"
	for said, want := range map[string]string{
		logged:                               "",
		logged + "Error: no\n" + logged:      "no",
		"one\n" + logged + "two":             "one\ntwo",
		"Image 1 of [2] is I1127 at best\n":  "Image 1 of [2] is I1127 at best",
		"Error: first\n" + logged + "second": "first\nsecond",
	} {
		w := &logWriter{kept: []byte(said)}
		if got := w.failure(); got != want {
			t.Errorf("of %q the failure is %q, want %q", said, got, want)
		}
	}
}
