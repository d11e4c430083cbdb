package kind

import (
	"golang.org/x/sys/unix"
)

// restricted tells whether CAP_SYS_RESOURCE is missing from the bounding set of this process, as it then is from that of
// an engine on the same machine.
func restricted() bool {
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_RESOURCE, 0, 0, 0)
	return err == nil && has == 0
}
