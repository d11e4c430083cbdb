package journal

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Process names one process for good: its number alone may be given to another later.
type Process struct {
	PID int `json:"pid"`
	// Started is the start time as the operating system states it; opaque, compared for equality.
	Started string `json:"started"`
	// Host says where the number means something: the machine and, on Linux, the PID namespace.
	Host string `json:"host"`
}

// Self names this process.
func Self() (Process, error) { return Lookup(os.Getpid()) }

// Lookup names a running process. The error is unix.ESRCH when there is none of that number.
func Lookup(pid int) (Process, error) {
	host, err := hostID()
	if err != nil {
		return Process{}, fmt.Errorf("name this machine: %w", err)
	}
	started, err := startTime(pid)
	if err != nil {
		return Process{}, fmt.Errorf("start time of process %d: %w", pid, err)
	}
	return Process{PID: pid, Started: started, Host: host}, nil
}

// State says whether a process still runs.
type State string

const (
	// Alive means that this very process runs.
	Alive State = "alive"
	// Gone means that it ended, or that its number now belongs to another.
	Gone State = "gone"
	// Foreign means that it belongs to another machine or container and cannot be judged from here.
	Foreign State = "foreign"
)

// State looks whether p still runs.
func (p Process) State() (State, error) {
	host, err := hostID()
	if err != nil {
		return "", fmt.Errorf("name this machine: %w", err)
	}
	if host != p.Host {
		return Foreign, nil
	}
	started, err := startTime(p.PID)
	switch {
	case errors.Is(err, unix.ESRCH):
		return Gone, nil
	case err != nil:
		return "", fmt.Errorf("start time of process %d: %w", p.PID, err)
	case started != p.Started:
		return Gone, nil
	}
	return Alive, nil
}
