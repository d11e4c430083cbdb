package gobuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Reasons why a program cannot be built.
var (
	// ErrNoSpace means that a file system is full.
	ErrNoSpace = errors.New("no space left")
	// ErrNoToolchain means that there is no go command.
	ErrNoToolchain = errors.New("no Go toolchain on the PATH")
	// ErrNoModules means that the modules that the program consists of could not be downloaded.
	ErrNoModules = errors.New("modules could not be downloaded")
)

// offline are what the go command says when it cannot reach a module proxy.
var offline = []string{
	"dial tcp", "no such host", "module lookup disabled", "proxyconnect", "i/o timeout", "TLS handshake", "not found: module",
}

// explain names the cause of a failed build, and the remedy.
func (p Program) explain(err error) error {
	var failed *goError
	output := ""
	if errors.As(err, &failed) {
		output = failed.output
	}
	says := func(word string) bool { return strings.Contains(output, word) }
	otherwise := ""
	if p.Else != "" {
		otherwise = ", or " + p.Else
	}
	switch {
	case errors.Is(err, journal.ErrNoSpace): // it has its own remedy
		return fmt.Errorf("build %s: %w", p.Name, err)
	case errors.Is(err, ErrNoToolchain):
		return fmt.Errorf("build %s: %w (install Go %s or newer%s)", p.Name, err, languageVersion, otherwise)
	case errors.Is(err, syscall.ENOSPC), says(syscall.ENOSPC.Error()):
		return fmt.Errorf("build %s: %w (make room for Go's build cache, or point GOCACHE and %s elsewhere%s): %w",
			p.Name, ErrNoSpace, cachedir.Env, otherwise, err)
	case slices.ContainsFunc(offline, says):
		return fmt.Errorf("build %s: %w (check the network and go env GOPROXY%s): %w", p.Name, ErrNoModules, otherwise, err)
	case p.Else != "":
		return fmt.Errorf("build %s: %w (%s)", p.Name, err, p.Else)
	}
	return fmt.Errorf("build %s: %w", p.Name, err)
}
