package embedded

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// ErrNoSpace means that the file system of the clusters' data is full.
var ErrNoSpace = gobuild.ErrNoSpace

// explainBoot names the cause of a failed boot if the file system of dir is full. The journal, which may be on another one,
// speaks for itself.
func explainBoot(err error, dir string) error {
	var ended *ComponentError
	full := errors.Is(err, syscall.ENOSPC) || errors.As(err, &ended) && strings.Contains(ended.Tail, syscall.ENOSPC.Error())
	if !full || errors.Is(err, journal.ErrNoSpace) {
		return err
	}
	return fmt.Errorf("%w in %s (make room, or set TMPDIR to a larger place): %w", ErrNoSpace, dir, err)
}
