package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/cluster/embedded/internal/kubearchive"
)

// expectation is what a cold build takes, as measured.
const expectation = "once for this version; 6 to 9 minutes on 2 cores if nothing of it was compiled before"

// build builds the binary in tmp and moves it to path.
func (b *builder) build(ctx context.Context, tmp, version, path string) error {
	goPath, err := exec.LookPath(b.goCommand)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoToolchain, err)
	}
	if err := kubearchive.Unpack(b.sources, tmp); err != nil {
		return err
	}
	began := time.Now()
	b.progress("kube: building the control plane, Kubernetes " + version + " (" + expectation + ")")
	packages := 0
	loading := goCommand{
		path: goPath, dir: tmp, args: []string{"list", "-deps", "."},
		out:      func(string) { packages++ },
		describe: func(lines int) string { return fmt.Sprintf("kube: loading modules, %d downloads so far", lines) },
	}
	compiling := goCommand{
		path: goPath, dir: tmp,
		args: []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", ldflags(version), "-o", "kube", "."},
		describe: func(lines int) string {
			return fmt.Sprintf("kube: compiling and linking, %d of at most %d packages", lines, packages)
		},
	}
	for _, c := range []goCommand{loading, compiling} {
		report := func(s string) {
			b.progress(fmt.Sprintf("%s, %s since the start", s, time.Since(began).Round(time.Second)))
		}
		if err := c.run(ctx, report); err != nil {
			return err
		}
	}
	built := filepath.Join(tmp, "kube")
	if err := syncFile(built); err != nil {
		return err
	}
	if err := os.Rename(built, path); err != nil {
		return err
	}
	b.progress(fmt.Sprintf("kube: built after %s", time.Since(began).Round(time.Second)))
	return nil
}

// ldflags strip the binary and stamp the version, which kubeVersion constraints of charts are checked against.
func ldflags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const pkg = "k8s.io/component-base/version."
	return fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s", pkg, version, pkg, major, pkg, minor)
}

// syncFile makes sure that a file's content is on disk before its name is.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
