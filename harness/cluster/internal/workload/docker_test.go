package workload

import (
	"context"
	"crypto/rand"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

// confined is how the charts' containers run: no privilege, no writable file, any user.
var confined = []string{"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=12345", "--memory=64m"}

// loaded loads the image into Docker under a name of the test's own, which it returns.
func loaded(t *testing.T) string {
	t.Helper()
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("this test needs a container engine, and Docker does not answer: %v: %s", err, out)
	}
	path, err := Archive(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := imageOf(filepath.Join(filepath.Dir(path), "workload"), runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	name := "rehearse.dev/workload:test-" + rand.Text()
	made.Tags = []string{name}
	renamed := filepath.Join(t.TempDir(), "image.tar")
	if err := image.Save(renamed, []image.Image{made}); err != nil {
		t.Fatal(err)
	}
	if code, out := docker(t, "load", "--input", renamed); code != 0 {
		t.Fatalf("docker load: %s", out)
	}
	t.Cleanup(func() {
		if code, out := docker(t, "rmi", name); code != 0 {
			t.Errorf("docker rmi: %s", out)
		}
	})
	return name
}

// docker returns the exit code and the output. It works in clean-up too.
func docker(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	all, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", args...).CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("docker: %v", err)
	} else if err != nil {
		code = exit.ExitCode()
	}
	return code, strings.TrimSpace(string(all))
}

// What the image runs is confined as the charts have it, is the first process of its container, and ends when told to.
func TestDocker(t *testing.T) {
	t.Parallel()
	name := loaded(t)
	run := func(args ...string) []string { return append(append([]string{"run"}, confined...), args...) }
	code, id := docker(t, run("--detach", name, "serve")...)
	if code != 0 {
		t.Fatalf("docker run: %s", id)
	}
	t.Cleanup(func() { docker(t, "rm", "--force", id) })
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{run("--rm", "--network=container:"+id, name, "check", "http://127.0.0.1:8080/readyz"), 0, "200 OK"},
		{run("--rm", "--network=none", name, "migrate"), 0, "migrated"},
		{run("--rm", "--network=none", name, "fail"), 1, "failing"},
		{run("--rm", "--network=none", "--env=WORKLOAD_CRASH_AFTER=1ms", name), 1, "crashing"}, // serve goes without saying
		{run("--rm", "--network=none", name, "sh"), 2, `no command "sh"`},
	} {
		if code, out := docker(t, test.args...); code != test.code || !strings.Contains(out, test.says) {
			t.Errorf("docker %q: exit code %d, want %d, and %q in: %s", test.args, code, test.code, test.says, out)
		}
	}
	if code, out := docker(t, "stop", "--time=60", id); code != 0 {
		t.Errorf("docker stop: %s", out)
	}
	// 137 if it had to be killed, which is what becomes of a first process that handles no signals.
	if _, out := docker(t, "inspect", "--format={{.State.Status}} {{.State.ExitCode}}", id); out != "exited 0" {
		_, log := docker(t, "logs", id)
		t.Errorf("after docker stop: %s; log:\n%s", out, log)
	}
}
