// Package lifeline ends child processes with their parent, however that ends.
package lifeline

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Env tells a child which inherited descriptor to watch; cmd/kube ends when it closes.
const Env = "REHEARSE_LIFELINE_FD"

// FD is the number that the first of exec.Cmd's ExtraFiles gets in the child.
const FD = "3"

// guarded runs its arguments in a process group that is killed when the lifeline closes. What is guarded becomes the
// process that was started, so its number is the child's own; the guard beside it goes on while that is stopped.
const guarded = `(cat <&3; kill -9 0) >/dev/null 2>&1 & exec "$@" 3<&-`

// Line is a pipe whose writing end only this process holds: its children read it and end when it closes, which the
// operating system does for us if we are killed. The zero value is no line, and may be closed.
type Line struct{ read, write *os.File }

// New makes a line.
func New() (Line, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return Line{}, fmt.Errorf("make the pipe that children live by: %w", err)
	}
	return Line{read: r, write: w}, nil
}

// Files is what exec.Cmd's ExtraFiles must be for a child on this line.
func (l Line) Files() []*os.File { return []*os.File{l.read} }

// Close lets all children end.
func (l Line) Close() { _, _ = l.read.Close(), l.write.Close() }

// Command is a command that knows nothing of lifelines, put on this one. It leads a process group of its own, with all that
// it starts in turn, and the group is killed when ctx ends.
func (l Line) Command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", guarded, "sh", path}, args...)...)
	cmd.ExtraFiles = l.Files()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}
