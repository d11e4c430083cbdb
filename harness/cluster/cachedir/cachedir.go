// Package cachedir says where what is worth keeping between runs is kept: programs that were built, charts that were
// downloaded.
package cachedir

import (
	"fmt"
	"os"
	"path/filepath"
)

// Env overrides the folder.
const Env = "REHEARSE_CACHE_DIR"

// Root is the folder that REHEARSE_CACHE_DIR names or, without it, one in the user's cache. It may not exist yet.
func Root() (string, error) {
	if root := os.Getenv(Env); root != "" {
		return filepath.Abs(root)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the cache: %w (set %s)", err, Env)
	}
	return filepath.Join(user, "rehearse"), nil
}
