package journal

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// stopPoll is how often a process that is to stop is looked at.
const stopPoll = time.Millisecond

// Stop stops the process (SIGSTOP) and waits until it stands still: the signal is delivered to one of its threads, and until
// that has its turn, which takes a while on a busy machine, the others go on.
func (p Process) Stop(ctx context.Context) error {
	if err := unix.Kill(p.PID, unix.SIGSTOP); err != nil {
		return fmt.Errorf("stop process %d: %w", p.PID, err)
	}
	ticker := time.NewTicker(stopPoll)
	defer ticker.Stop()
	for {
		if still, err := isStopped(p.PID); err != nil || still {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until process %d stands still: %w", p.PID, context.Cause(ctx))
		}
	}
}
