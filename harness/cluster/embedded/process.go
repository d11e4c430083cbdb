package embedded

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
	"syscall"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/lifeline"
)

// ComponentError says that a component ended although nobody asked it to.
type ComponentError struct {
	// Component is its name, for example kube-apiserver.
	Component string
	// Err is how it ended.
	Err error
	// Tail holds the last lines of its log.
	Tail string
}

func (e *ComponentError) Error() string {
	return fmt.Sprintf("%s ended: %v; the end of its log:\n%s", e.Component, e.Err, e.Tail)
}

func (e *ComponentError) Unwrap() error { return e.Err }

// errEnded is how a component ended that reported no failure.
var errEnded = errors.New("exit status 0")

// process is a running component.
type process struct {
	name string
	log  string
	args []string
	cmd  *exec.Cmd
	// running names the process.
	running journal.Process
	// ended is closed once it has ended; err, valid from then on, says how.
	ended chan struct{}
	err   error
}

// startProcess starts a component in dir, in a process group of its own: an interrupt from the terminal is ours to
// handle, not the components'.
func startProcess(kube, name string, args []string, dir string, line lifeline.Line) (*process, error) {
	logPath := filepath.Join(logsPath(dir), name+".log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	// The child has a descriptor of its own.
	defer func() { _ = logFile.Close() }()
	cmd := exec.Command(kube, append([]string{name}, args...)...)
	cmd.Dir = dir
	// Nothing but this: a GODEBUG or a proxy of the user's has no business here.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, lifeline.Env + "=" + lifeline.FD}
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = line.Files()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w (is %s a kube binary for this machine? unset %s to have one built)", name, err, kube, EnvKubeBinary)
	}
	p := &process{name: name, log: logPath, args: args, cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		if p.err = cmd.Wait(); p.err == nil {
			p.err = errEnded
		}
	}()
	return p, nil
}

// failure describes the end of a process that has ended.
func (p *process) failure() error {
	return &ComponentError{Component: p.name, Err: p.err, Tail: tail(p.log, 15)}
}

// kill ends the process at once: its data is thrown away, so what it was doing does not matter.
func (p *process) kill() error {
	select {
	case <-p.ended:
		return nil // its number may be another's by now
	default:
	}
	// The negative number means the group. That it is gone already is not an error.
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s (process %d): %w", p.name, p.cmd.Process.Pid, err)
	}
	return nil
}

// wait waits for the process's end.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s (process %d): %w", p.name, p.cmd.Process.Pid, context.Cause(ctx))
	}
}

// tail returns the last lines of a file, as far as they can be read.
func tail(path string, lines int) string {
	const most = 16 << 10
	file, err := os.Open(path)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > most {
		_, _ = file.Seek(-most, io.SeekEnd)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	// After a panic comes the trace of every goroutine; what went wrong stands before.
	content, _, _ = bytes.Cut(content, []byte("\ngoroutine "))
	all := strings.Split(string(bytes.TrimSpace(content)), "\n")
	if len(all) == 1 && all[0] == "" {
		return "(its log is empty)"
	}
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
