package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take. It is long, since tests share the machine with others.
const patience = 10 * time.Minute

// result is how the program ended.
type result struct {
	code           int
	stdout, stderr string
}

// exec runs the program to its end.
func (h *home) exec(args ...string) result {
	h.t.Helper()
	return h.start(args...).wait()
}

// want is exec, and demands an exit code.
func (h *home) want(code int, args ...string) result {
	h.t.Helper()
	r := h.exec(args...)
	if r.code != code {
		h.t.Fatalf("rehearse %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// program is the program while it runs.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	args   string
	stdout bytes.Buffer
	stderr lines
	ended  chan struct{}
}

// start starts the program. It is killed if it is still running when the test is over.
func (h *home) start(args ...string) *program {
	h.t.Helper()
	p := &program{t: h.t, cmd: exec.Command("rehearse", args...), args: strings.Join(args, " "), ended: make(chan struct{})}
	p.stderr.changed = make(chan struct{})
	p.cmd.Dir, p.cmd.Env = h.dir, h.env()
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		select {
		case <-p.ended:
		default:
			h.t.Errorf("rehearse %s is still running", p.args)
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
	})
	return p
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// says waits until standard error holds text.
func (p *program) says(text string) {
	p.t.Helper()
	if !p.reaches(func(all string) bool { return strings.Contains(all, text) }) {
		all, _ := p.stderr.read()
		p.t.Fatalf("rehearse %s never said %q:\n%s", p.args, text, all)
	}
}

// reaches waits until standard error satisfies ok. It reports false if the program has ended without.
func (p *program) reaches(ok func(all string) bool) bool {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		all, changed := p.stderr.read()
		if ok(all) {
			return true
		}
		select {
		case <-changed:
		case <-p.ended:
			all, _ := p.stderr.read()
			return ok(all)
		case <-timeout.C:
			return false
		}
	}
}

// wait waits for the program's end.
func (p *program) wait() result {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT) // shows every goroutine
		<-p.ended
		all, _ := p.stderr.read()
		p.t.Fatalf("rehearse %s did not end within %s:\n%s", p.args, patience, all)
	}
	all, _ := p.stderr.read()
	return result{p.cmd.ProcessState.ExitCode(), p.stdout.String(), all}
}

// lines is what a program has written so far, and tells when there is more.
type lines struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(text)
}

func (l *lines) read() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.changed
}
