// Package lifeline ends child processes with their parent, however that ends.
package lifeline

import (
	"fmt"
	"os"
)

// Env tells a child which inherited descriptor to watch; cmd/kube ends when it closes.
const Env = "REHEARSE_LIFELINE_FD"

// FD is the number that the first of exec.Cmd's ExtraFiles gets in the child.
const FD = "3"

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
