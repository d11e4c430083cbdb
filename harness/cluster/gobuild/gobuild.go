// Package gobuild builds Go programs on demand into the user's cache. The sources of our own travel as text within this
// program, because one module cannot embed another, and because this program must be able to build them wherever it was
// installed. Those of others come from the Go module proxy.
package gobuild

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
	"rehearse.dev/rehearse/harness/cluster/internal/filelock"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Program is what can be built: one main package or several, of one module.
type Program struct {
	// Name begins what is told about it, and names its folder in the cache.
	Name string
	// What says what it is, for example "the control plane, Kubernetes v1.36.3".
	What string
	// Version shows in the cache.
	Version string
	// Sources is the archive that Pack made; empty if Published names what is built.
	Sources []byte
	// Published is a main package of a published module with its version, as go install takes it; it is built with the very
	// modules that its author chose.
	Published string
	// Packages are the main packages; empty means the one in the module's top folder. Each becomes a binary that is named
	// after the last element of its import path.
	Packages []string
	// Tags are build tags.
	Tags []string
	// LDFlags are flags for the linker.
	LDFlags string
	// OS and Arch are what it is to run on; empty means this machine.
	OS, Arch string
	// Expect says how long the first build takes.
	Expect string
	// Else says what to do where it cannot be built; it follows the word "or".
	Else string
}

// key names a build in the cache: it changes with everything that decides what comes out.
func (p Program) key() string {
	hash := sha256.New()
	parts := [][]string{{string(p.Sources)}, p.Packages, p.Tags, {p.LDFlags}}
	if p.Published != "" {
		parts = append(parts, []string{p.Published})
	}
	for _, part := range parts {
		for _, text := range part {
			fmt.Fprintf(hash, "%d %s\n", len(text), text)
		}
		fmt.Fprintln(hash)
	}
	platform := cmp.Or(p.OS, runtime.GOOS) + "-" + cmp.Or(p.Arch, runtime.GOARCH)
	return strings.Join([]string{p.Version, hex.EncodeToString(hash.Sum(nil)[:6]), platform}, "-")
}

// Builder builds programs into a cache.
type Builder struct {
	cache     string
	journal   *journal.Journal
	goCommand string
	progress  func(string)
}

// New returns a builder. stateRoot is where its journal is, empty for the default place; progress, unless nil, receives a
// line every few seconds while something is built.
func New(stateRoot string, progress func(string)) (*Builder, error) {
	cache, err := cachedir.Root()
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(stateRoot)
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(string) {}
	}
	return &Builder{cache: cache, journal: j, goCommand: "go", progress: progress}, nil
}

// Ensure returns the folder of the program's binaries in the cache, after building them if need be. One process of this
// machine builds a program at a time.
func (b *Builder) Ensure(ctx context.Context, p Program) (dir string, err error) {
	parent := filepath.Join(b.cache, p.Name)
	dir = filepath.Join(parent, p.key())
	if found, err := exists(dir); found || err != nil {
		return dir, err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w (set %s to a folder that can be written)", p.Name, err, cachedir.Env)
	}
	unlock, err := filelock.Lock(ctx, dir+".lock", func() {
		b.progress(p.Name + ": another process is building it; waiting for that")
	})
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.Name, err)
	}
	defer unlock()
	if found, err := exists(dir); found || err != nil {
		return dir, err
	}
	if err := b.InTempDir(parent, func(tmp string) error { return b.build(ctx, p, tmp, dir) }); err != nil {
		return "", p.explain(err)
	}
	return dir, nil
}

func exists(dir string) (bool, error) {
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// InTempDir calls do with a new folder in parent, from which what is made there can be renamed into the cache. It is journaled,
// and gone in the end.
func (b *Builder) InTempDir(parent string, do func(dir string) error) error {
	return b.journal.InTempDir(parent, "build", do)
}
