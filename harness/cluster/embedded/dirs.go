package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// memoryRoot is where Linux keeps a file system in memory.
const memoryRoot = "/dev/shm"

// wantedSpace is what must be free for a cluster's data: etcd reserves 128 MiB for its log before the first write, and
// containers are often given no more than 64 MiB of shared memory.
const wantedSpace = 512 << 20

// dataRoot chooses where clusters keep their data: in memory if there is room, else with the other temporary files.
func dataRoot() string { return roomIn(memoryRoot, wantedSpace) }

// roomIn is the folder dir if it can be written to and has so many bytes free, else that of temporary files.
func roomIn(dir string, wanted uint64) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || uint64(s.Bsize)*s.Bavail < wanted {
		return os.TempDir()
	}
	if unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
		return os.TempDir()
	}
	return dir
}

func logsPath(dir string) string  { return filepath.Join(dir, "logs") }
func cachePath(dir string) string { return filepath.Join(dir, "cache") }

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	return hex.EncodeToString(b)
}

// makeDirs makes a cluster's folder, which must not exist, and those in it. Nobody but the user can enter it: etcd's
// socket in there is guarded by that alone.
func makeDirs(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	for _, sub := range []string{logsPath(dir), cachePath(dir)} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			return fmt.Errorf("make the cluster's folder: %w", err)
		}
	}
	return nil
}
