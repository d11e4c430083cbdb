package main

import (
	"io"
	"os"
	"strconv"
)

// lifelineEnv names the variable that holds the number of an inherited pipe's file descriptor. Nobody writes to the
// pipe; it reads as closed once the parent is gone, however it ended, on Linux and macOS alike.
const lifelineEnv = "REHEARSE_LIFELINE_FD"

// dieWithParent makes this process exit as soon as the parent's end of the lifeline closes. Without a lifeline it
// does nothing, so that the binary can be run by hand.
func dieWithParent() {
	fd, err := strconv.Atoi(os.Getenv(lifelineEnv))
	if err != nil {
		return
	}
	pipe := os.NewFile(uintptr(fd), "lifeline")
	if pipe == nil {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		os.Exit(137)
	}()
}
