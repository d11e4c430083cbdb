package kind

import (
	"errors"
	"testing"
)

// TestEndedByItself: what containerd says of a container that is gone is told from what is a failure.
func TestEndedByItself(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`docker exec: exit status 1: ctr: no running task found: task 4f2a not found: not found`: true,
		`docker exec: exit status 1: ctr: failed to kill: process already finished: not found`:   true,
		`docker exec: exit status 1: ctr: process already finished`:                              true,
		`docker exec: exit status 1: ctr: permission denied`:                                     false,
		`Error response from daemon: container 9d is paused, unpause the container before exec`:  false,
	} {
		if got := endedByItself(errors.New(text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}
