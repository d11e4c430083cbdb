package kind

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// commandsOf returns the processes that run a command of the engine's with one of the marks.
func commandsOf(binary string, marks []string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && isCommand(strings.Split(strings.TrimRight(string(content), "\x00"), "\x00"), binary, marks) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
