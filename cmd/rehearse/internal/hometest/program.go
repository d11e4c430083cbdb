package hometest

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

// Patience is how long anything may take. It is long, since tests share the machine with others.
const Patience = 10 * time.Minute

// Result is how the program ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Exec runs the program to its end.
func (h *Home) Exec(args ...string) Result {
	h.T.Helper()
	return h.Start(args...).Wait()
}

// Want is exec, and demands an exit code.
func (h *Home) Want(code int, args ...string) Result {
	h.T.Helper()
	r := h.Exec(args...)
	if r.Code != code {
		h.T.Fatalf("rehearse %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.Code, code, r.Stdout, r.Stderr)
	}
	return r
}

// Up keeps a cluster, with flags of cluster up, and returns its kubeconfig.
func (h *Home) Up(flags ...string) string {
	h.T.Helper()
	up := h.Want(0, append([]string{"cluster", "up"}, flags...)...)
	kubeconfig, ok := strings.CutPrefix(strings.TrimSpace(up.Stdout), "export KUBECONFIG=")
	if !ok {
		h.T.Fatalf("cluster up printed %q", up.Stdout)
	}
	return kubeconfig
}

// Program is the program while it runs.
type Program struct {
	t      *testing.T
	Cmd    *exec.Cmd
	args   string
	stdout bytes.Buffer
	stderr lines
	// Ended is closed once it has ended.
	Ended chan struct{}
}

// Start starts the program. It is killed if it is still running when the test is over.
func (h *Home) Start(args ...string) *Program {
	h.T.Helper()
	p := &Program{t: h.T, Cmd: exec.Command("rehearse", args...), args: strings.Join(args, " "), Ended: make(chan struct{})}
	p.stderr.changed = make(chan struct{})
	p.Cmd.Dir, p.Cmd.Env = h.Dir, h.Environ()
	p.Cmd.Stdout, p.Cmd.Stderr = &p.stdout, &p.stderr
	if err := p.Cmd.Start(); err != nil {
		h.T.Fatal(err)
	}
	go func() {
		defer close(p.Ended)
		_ = p.Cmd.Wait()
	}()
	h.T.Cleanup(func() {
		select {
		case <-p.Ended:
		default:
			h.T.Errorf("rehearse %s is still running", p.args)
			p.Signal(syscall.SIGKILL)
			<-p.Ended
		}
	})
	return p
}

// Signal sends it a signal, if it is still running.
func (p *Program) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// Said is what it has written to standard error so far.
func (p *Program) Said() string {
	all, _ := p.stderr.read()
	return all
}

// Says waits until standard error holds text.
func (p *Program) Says(text string) {
	p.t.Helper()
	if !p.Reaches(func(all string) bool { return strings.Contains(all, text) }) {
		all, _ := p.stderr.read()
		p.t.Fatalf("rehearse %s never said %q:\n%s", p.args, text, all)
	}
}

// Reaches waits until standard error satisfies ok. It reports false if the program has ended without.
func (p *Program) Reaches(ok func(all string) bool) bool {
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		all, changed := p.stderr.read()
		if ok(all) {
			return true
		}
		select {
		case <-changed:
		case <-p.Ended:
			all, _ := p.stderr.read()
			return ok(all)
		case <-timeout.C:
			return false
		}
	}
}

// Wait waits for the program's end.
func (p *Program) Wait() Result {
	p.t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		p.Signal(syscall.SIGQUIT) // shows every goroutine
		<-p.Ended
		all, _ := p.stderr.read()
		p.t.Fatalf("rehearse %s did not end within %s:\n%s", p.args, Patience, all)
	}
	all, _ := p.stderr.read()
	return Result{p.Cmd.ProcessState.ExitCode(), p.stdout.String(), all}
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
