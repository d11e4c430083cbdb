package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// endPoll is how often a process that was killed is looked at: only a parent can wait for it.
const endPoll = 20 * time.Millisecond

// End kills the process, and its process group if it leads one, and waits until it is gone. A process that is gone
// already is left alone, and so is one that has got its number since.
func (p Process) End(ctx context.Context) error {
	ticker := time.NewTicker(endPoll)
	defer ticker.Stop()
	for {
		state, err := p.State()
		if err != nil {
			return err
		}
		if state == Foreign {
			return fmt.Errorf("process %d belongs to %s and cannot be ended from here", p.PID, p.Host)
		}
		if state == Gone {
			return nil
		}
		target := p.PID
		if group, err := unix.Getpgid(p.PID); err == nil && group == p.PID {
			target = -p.PID
		}
		if err := unix.Kill(target, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end process %d: %w", p.PID, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of process %d: %w", p.PID, context.Cause(ctx))
		}
	}
}

// Text is the process as one value of a record's data; ParseProcess reads it.
func (p Process) Text() string { return strconv.Itoa(p.PID) + " " + p.Started }

// ParseProcess reads what Text wrote in a record of this owner: they ran on the same machine.
func ParseProcess(text string, owner Process) (Process, error) {
	pid, started, found := strings.Cut(text, " ")
	n, err := strconv.Atoi(pid)
	if err != nil || !found || n <= 1 {
		return Process{}, fmt.Errorf("%q does not name a process", text)
	}
	return Process{PID: n, Started: started, Host: owner.Host}, nil
}
