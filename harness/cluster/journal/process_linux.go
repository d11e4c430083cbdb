package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// startTime is the boot's ID and the clock ticks from boot to the process's start: ticks alone may repeat after a reboot.
// A zombie counts as ended.
func startTime(pid int) (string, error) {
	state, started, err := readStat(pid)
	if err != nil {
		return "", err
	}
	if state == 'Z' || state == 'X' {
		return "", unix.ESRCH
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%s", bytes.TrimSpace(boot), started), nil
}

// isStopped reports whether a signal has stopped the process.
func isStopped(pid int) (bool, error) {
	state, _, err := readStat(pid)
	return state == 'T', err
}

// readStat returns the state of a process, as a letter, and the clock ticks from boot to its start.
func readStat(pid int) (state byte, started string, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, "", unix.ESRCH
	}
	if err != nil {
		return 0, "", err
	}
	// The second field is the program's name in parentheses and may hold anything, so count from the last one.
	const stateAt, startedAt = 0, 19
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startedAt {
		return 0, "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields[stateAt][0], string(fields[startedAt]), nil
}

// hostID names the machine and the PID namespace.
func hostID() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", err
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", err
	}
	return name + "/" + namespace, nil
}
