//go:build !linux

package kind

import (
	"os/exec"
	"strconv"
	"strings"
)

// commandsOf returns the processes that run a command of the engine's with one of the marks.
func commandsOf(binary string, marks []string) ([]int, error) {
	out, err := exec.Command("ps", "-axww", "-o", "pid=,args=").Output()
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err == nil && isCommand(fields[1:], binary, marks) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
