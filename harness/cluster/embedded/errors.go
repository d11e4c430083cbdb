package embedded

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// Reasons why there is no cluster, or no kube binary to run one with.
var (
	// ErrNoSpace means that a file system is full: that of the clusters' data, or the cache's.
	ErrNoSpace = errors.New("no space left")
	// ErrNoToolchain means that there is no go command to build the kube binary with.
	ErrNoToolchain = errors.New("no Go toolchain on the PATH")
	// ErrNoModules means that the modules the kube binary consists of could not be downloaded.
	ErrNoModules = errors.New("modules could not be downloaded")
)

// howElse is the remedy when the kube binary cannot be built here.
const howElse = "or build cmd/kube elsewhere for this platform and set " + EnvKubeBinary + " to the binary"

// explainBuild names the cause of a failed build, and the remedy.
func explainBuild(err error) error {
	var failed *goError
	output := ""
	if errors.As(err, &failed) {
		output = failed.output
	}
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(output, w) })
	}
	switch {
	case errors.Is(err, ErrNoToolchain):
		return fmt.Errorf("build kube: %w (install Go 1.26 or newer, %s)", err, howElse)
	case errors.Is(err, syscall.ENOSPC), says(syscall.ENOSPC.Error()):
		return fmt.Errorf("build kube: %w (it takes some 4 GB of Go build cache; make room, point GOCACHE and %s elsewhere, %s): %w",
			ErrNoSpace, EnvCacheDir, howElse, err)
	case says("dial tcp", "no such host", "module lookup disabled", "proxyconnect", "i/o timeout", "TLS handshake", "not found: module"):
		return fmt.Errorf("build kube: %w (check the network and go env GOPROXY, %s): %w", ErrNoModules, howElse, err)
	}
	return fmt.Errorf("build kube: %w (%s)", err, howElse)
}

// explainBoot names the cause of a failed boot if the file system of dir is full.
func explainBoot(err error, dir string) error {
	var ended *ComponentError
	full := errors.Is(err, syscall.ENOSPC) || errors.As(err, &ended) && strings.Contains(ended.Tail, syscall.ENOSPC.Error())
	if !full {
		return err
	}
	return fmt.Errorf("%w in %s (make room, or set TMPDIR to a larger place): %w", ErrNoSpace, dir, err)
}
