package journal

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// States of a process: SSTOP and SZOMB of sys/proc.h.
const (
	stopped = 4
	zombie  = 5
)

// startTime is the time of day at which the process started. A zombie counts as ended.
func startTime(pid int) (string, error) {
	info, err := infoOf(pid)
	if err != nil {
		return "", err
	}
	if info.Proc.P_stat == zombie {
		return "", unix.ESRCH
	}
	return fmt.Sprintf("%d.%06d", info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec), nil
}

// isStopped reports whether a signal has stopped the process.
func isStopped(pid int) (bool, error) {
	info, err := infoOf(pid)
	return err == nil && info.Proc.P_stat == stopped, err
}

func infoOf(pid int) (*unix.KinfoProc, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	// The kernel answers with nothing for a number that is not in use, which x/sys reports as EIO.
	if errors.Is(err, unix.EIO) || errors.Is(err, unix.ESRCH) || err == nil && int(info.Proc.P_pid) != pid {
		return nil, unix.ESRCH
	}
	return info, err
}

// hostID names the machine.
func hostID() (string, error) { return os.Hostname() }
