package gobuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// build builds the program in tmp and moves its binaries to dir.
func (b *Builder) build(ctx context.Context, p Program, tmp, dir string) error {
	goPath, err := exec.LookPath(b.goCommand)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoToolchain, err)
	}
	if err := Unpack(p.Sources, tmp); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(tmp, tempDir), 0o700); err != nil {
		return err
	}
	began := time.Now()
	b.progress(fmt.Sprintf("%s: building %s (%s)", p.Name, p.What, p.Expect))
	for _, c := range p.commands(goPath, tmp) {
		report := func(s string) {
			b.progress(fmt.Sprintf("%s: %s, %s since the start", p.Name, s, time.Since(began).Round(time.Second)))
		}
		if err := c.run(ctx, report); err != nil {
			return err
		}
	}
	if err := publish(filepath.Join(tmp, outDir), dir); err != nil {
		return err
	}
	b.progress(fmt.Sprintf("%s: built after %s", p.Name, time.Since(began).Round(time.Second)))
	return nil
}

// Within the folder of the sources, outDir is where binaries are built, and tempDir is where the go command works: it leaves its
// files behind if it is killed.
const (
	outDir  = "out"
	tempDir = "tmp"
)

// commands load the program's modules and compile it.
func (p Program) commands(goPath, tmp string) []goCommand {
	packages := p.Packages
	if len(packages) == 0 {
		packages = []string{"."}
	}
	tags := "-tags=" + strings.Join(p.Tags, ",")
	if p.Published != "" {
		return []goCommand{p.install(goPath, tmp, tags)}
	}
	env := []string{"GOOS=" + cmp.Or(p.OS, runtime.GOOS), "GOARCH=" + cmp.Or(p.Arch, runtime.GOARCH)}
	listed := 0
	loading := goCommand{
		path: goPath, dir: tmp, env: env, args: append([]string{"list", "-deps", tags}, packages...),
		out:      func(string) { listed++ },
		describe: func(lines int) string { return fmt.Sprintf("loading modules, %d downloads so far", lines) },
	}
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", tags, "-ldflags", p.LDFlags, "-o", outDir + "/"}
	compiling := goCommand{
		path: goPath, dir: tmp, env: env, args: append(args, packages...),
		describe: func(lines int) string {
			return fmt.Sprintf("compiling and linking, %d of at most %d packages", lines, listed)
		},
	}
	return []goCommand{loading, compiling}
}

// install compiles a program of a published module. It is for this machine alone: go install refuses to cross-compile.
func (p Program) install(goPath, tmp, tags string) goCommand {
	args := []string{"install", "-v", "-trimpath", "-buildvcs=false", tags, "-ldflags", p.LDFlags, p.Published}
	return goCommand{
		path: goPath, dir: tmp, args: args, env: []string{"GOBIN=" + filepath.Join(tmp, outDir), "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH},
		describe: func(lines int) string { return fmt.Sprintf("downloading and compiling, %d packages so far", lines) },
	}
}

// publish moves built binaries to where others find them, once all of each is on disk.
func publish(built, dir string) error {
	entries, err := os.ReadDir(built)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := syncFile(filepath.Join(built, e.Name())); err != nil {
			return err
		}
	}
	return os.Rename(built, dir)
}

// syncFile makes sure that a file's content is on disk before its name is.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
