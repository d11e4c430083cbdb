package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeEngine puts a command of that name, a shell script, onto a PATH of its own.
func fakeEngine(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestDetect(t *testing.T) {
	const dead = `echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1`
	info := func(version string) string { return fmt.Sprintf("echo '{\"CgroupVersion\":%q}'", version) }
	for name, test := range map[string]struct {
		scripts map[string]string
		env     string
		binary  string // that is found
		cgroup1 bool
		noneRun bool
		says    []string // in the error
	}{
		"docker runs":           {scripts: map[string]string{"docker": info("2"), "podman": info("2")}, binary: "docker"},
		"control groups 1":      {scripts: map[string]string{"docker": info("1")}, binary: "docker", cgroup1: true},
		"only podman runs":      {scripts: map[string]string{"docker": dead, "podman": `echo '{"host":{"cgroupVersion":"v1"}}'`}, binary: "podman", cgroup1: true},
		"the variable decides":  {scripts: map[string]string{"docker": info("2"), "podman": info("2")}, env: "podman", binary: "podman"},
		"nothing is installed":  {noneRun: true, says: []string{"no docker, nerdctl, finch, podman on the PATH", "install one", "provider embedded"}},
		"docker does not run":   {scripts: map[string]string{"docker": dead}, noneRun: true, says: []string{"docker info", "Is the docker daemon running?", "systemctl start docker"}},
		"the named one is dead": {scripts: map[string]string{"docker": info("2"), "podman": dead}, env: "podman", noneRun: true, says: []string{"podman info", "see that podman info works, or unset KIND_EXPERIMENTAL_PROVIDER"}},
		"the named one is none": {env: "podman", noneRun: true, says: []string{"found no podman on the PATH", "install it, or unset KIND_EXPERIMENTAL_PROVIDER"}},
		"an unknown one":        {env: "rkt", says: []string{"KIND_EXPERIMENTAL_PROVIDER=rkt", "docker"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for binary, script := range test.scripts {
				fakeEngine(t, dir, binary, script)
			}
			t.Setenv("PATH", dir)
			t.Setenv(EnvEngine, test.env)
			e, got, err := detect(t.Context())
			if test.binary != "" {
				if err != nil || e.binary != test.binary || got.cgroup1() != test.cgroup1 {
					t.Errorf("found %q, control groups of version 1: %v, %v", e.binary, got.cgroup1(), err)
				}
				return
			}
			if errors.Is(err, ErrNoRuntime) != test.noneRun || err == nil {
				t.Fatalf("error: %v", err)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v does not say %q", err, says)
				}
			}
		})
	}
}

// An engine that hangs does not outlive the context.
func TestDetectHangs(t *testing.T) {
	dir := t.TempDir()
	fakeEngine(t, dir, "docker", "exec /bin/sleep 60")
	t.Setenv("PATH", dir)
	t.Setenv(EnvEngine, "")
	gaveUp := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, gaveUp)
	defer cancel()
	if _, _, err := detect(ctx); !errors.Is(err, gaveUp) || errors.Is(err, ErrNoRuntime) {
		t.Errorf("error: %v", err)
	}
}

func TestIsCommand(t *testing.T) {
	t.Parallel()
	marks := []string{clusterLabel + "=a", networkLabel + "=a"}
	for line, want := range map[string]bool{
		"docker run --name a-worker --label io.x-k8s.kind.cluster=a img": true,
		"/usr/bin/docker run --label io.x-k8s.kind.cluster=a img":        true,
		"docker network create --label rehearse.dev/made-for=a kind":     true,
		"docker run --label io.x-k8s.kind.cluster=a-2 img":               false,
		"docker ps -a --filter label=io.x-k8s.kind.cluster=a":            false,
		"podman run --label io.x-k8s.kind.cluster=a img":                 false,
		"grep run io.x-k8s.kind.cluster=a":                               false,
		"docker":                                                         false,
		"":                                                               false,
	} {
		if got := isCommand(strings.Fields(line), "docker", marks); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"a": true, "rehearse-0a1b": true, "A": false, "a-": false, "": false, "a/b": false, strings.Repeat("x", 41): false} {
		if got := namePattern.MatchString(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestSaveSeveral: podman has to be told that further names are images, and not tags of the first one.
func TestSaveSeveral(t *testing.T) {
	t.Parallel()
	for binary, want := range map[string]string{
		"docker":  "save -o x.tar a:1 b:1",
		"nerdctl": "save -o x.tar a:1 b:1",
		"podman":  "save -o x.tar --multi-image-archive a:1 b:1",
	} {
		if got := strings.Join(engine{binary: binary}.save("x.tar", []string{"a:1", "b:1"}), " "); got != want {
			t.Errorf("%s %s, want %s", binary, got, want)
		}
	}
}
