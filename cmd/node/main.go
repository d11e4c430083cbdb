// Command node is the program of the pause image: it holds a pod's namespaces until it is told to end, and reaps what
// other containers of the pod leave to it.
//
// Its module also pins the programs of others that a node image is made of (the tool lines of its go.mod), apart from
// Kubernetes: their dependencies agree neither with Helm's nor with those of Kubernetes.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// reap waits for all children that have ended: one signal may stand for several.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err != nil && err != syscall.EINTR || err == nil && pid <= 0 {
			return
		}
	}
}
