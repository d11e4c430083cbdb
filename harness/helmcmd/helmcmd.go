// Package helmcmd finds the helm commands that driver cli runs: this program acting as helm, a binary of the user's, or a
// released version that is built when it is first needed.
package helmcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/gobuild"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/lifeline"
	"rehearse.dev/rehearse/harness/release"
)

// versionBound is how long a binary may take to say which version it is.
const versionBound = 10 * time.Second

// ErrNoHelm says that a scenario names no helm and that there is none to fall back on: this program cannot act as helm, and
// does not know which version of Helm it is made of, as test binaries do not.
var ErrNoHelm = errors.New("driver cli has no helm to run: in go test, call rehearsetest.OwnHelm in TestMain and state rehearsetest.WithHelm, or name a helm with helm: {version: ...} or helm: {path: ...}")

// Finder finds helm commands.
type Finder struct {
	// Own is a program that acts as helm when it is run as release.OwnHelm says, such as this one. If it is empty, the
	// version of Helm that this program is made of is built instead.
	Own string
	// StateRoot is where the journal is, empty for the default place.
	StateRoot string
	// Progress receives a line every few seconds while a command is built; nil discards them.
	Progress func(string)
}

// Find finds a command, and builds it if need be. Paths are relative to dir. A nil h stands for Own.
func (f Finder) Find(ctx context.Context, h *v1alpha1.Helm, dir string) (release.Command, error) {
	switch {
	case h != nil && h.Path != "":
		path := h.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		path, err := filepath.Abs(path) // it is run in a folder of its own
		if err != nil {
			return release.Command{}, fmt.Errorf("finding the helm command %s: %w", h.Path, err)
		}
		return f.binary(ctx, path)
	case h != nil && h.Version != "":
		return f.built(ctx, h.Version)
	}
	linked := linkedVersion()
	switch {
	case f.Own == "" && linked == "":
		return release.Command{}, ErrNoHelm
	case f.Own == "":
		return f.built(ctx, linked)
	}
	return release.Command{Path: f.Own, Own: true, Major: 4, Version: strings.TrimPrefix(linked, "v")}, nil
}

// linkedVersion is that of the Helm that this program is made of.
func linkedVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "helm.sh/helm/v4" {
				return dep.Version
			}
		}
	}
	return ""
}

func (f Finder) built(ctx context.Context, version string) (release.Command, error) {
	version = strings.TrimPrefix(version, "v")
	major, err := majorOf(version)
	if err != nil {
		return release.Command{}, err
	}
	module := fmt.Sprintf("helm.sh/helm/v%d", major)
	builder, err := gobuild.New(f.StateRoot, f.Progress)
	if err != nil {
		return release.Command{}, err
	}
	dir, err := builder.Ensure(ctx, gobuild.Program{
		Name:      "helm",
		What:      "the helm command " + version,
		Version:   "v" + version,
		Published: fmt.Sprintf("%s/cmd/helm@v%s", module, version),
		// As Helm's own release does: the version is part of what it tells the API server.
		LDFlags: fmt.Sprintf("-s -w -X %s/internal/version.version=v%s", module, version),
		Expect:  "once for this version; about a minute",
		Else:    "name a helm binary with helm: {path: ...}",
	})
	return release.Command{Path: filepath.Join(dir, "helm"), Major: major, Version: version}, err
}

// binary asks a helm binary for its version.
func (f Finder) binary(ctx context.Context, path string) (release.Command, error) {
	fail := func(err error) (release.Command, error) {
		return release.Command{}, fmt.Errorf("asking %s for its version, as helm version: %w", path, err)
	}
	j, err := journal.Open(f.StateRoot)
	if err != nil {
		return fail(err)
	}
	version := ""
	err = j.InTempDir(os.TempDir(), "helm", func(home string) (err error) {
		version, err = ask(ctx, path, home)
		return err
	})
	if err != nil {
		return fail(err)
	}
	major, err := majorOf(version)
	if err != nil {
		return fail(err)
	}
	return release.Command{Path: path, Major: major, Version: version}, nil
}

// ask runs helm version. The process ends with this one, however that ends, and is killed with all that it started if it
// takes too long.
func ask(ctx context.Context, path, home string) (version string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, versionBound, fmt.Errorf("it gave none within %s", versionBound))
	defer cancel()
	line, err := lifeline.New()
	if err != nil {
		return "", err
	}
	defer line.Close()
	var stdout, stderr bytes.Buffer
	cmd := line.Command(ctx, path, "version", "--template", "{{.Version}}")
	cmd.Env = []string{"HOME=" + home}
	if search, ok := os.LookupEnv("PATH"); ok { // the guard needs it
		cmd.Env = append(cmd.Env, "PATH="+search)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", fmt.Errorf("%w %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimPrefix(strings.TrimSpace(stdout.String()), "v"), nil
}

// majorOf returns 3 or 4.
func majorOf(version string) (int, error) {
	text, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(text)
	if err != nil || major < 3 || major > 4 {
		return 0, fmt.Errorf("%q is no version of Helm 3 or 4", version)
	}
	return major, nil
}
