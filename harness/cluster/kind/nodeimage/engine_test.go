package nodeimage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

func TestNoEngine(t *testing.T) {
	t.Parallel()
	down, _ := script(t, `echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1`)
	for command, says := range map[string]string{down: "start Docker", "no-such-command": "install Docker"} {
		_, err := engine{command: command}.arch(t.Context())
		if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", filepath.Base(command), err)
		}
	}
}

func TestFindBase(t *testing.T) {
	t.Parallel()
	docker, _ := script(t, `case "$*" in *here*) echo sha256:1 ;; *) echo "Error: No such image: $5" >&2; exit 1 ;; esac`)
	file := filepath.Join(t.TempDir(), "rootfs.tar")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	const sum = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
	for name, test := range map[string]struct {
		want base
		says string
	}{
		file:             {want: base{file: file, key: sum}},
		"image:here":     {want: base{image: "sha256:1", key: "sha256:1"}},
		"image:missing":  {says: "neither a file nor an image"},
		os.TempDir():     {says: "is no file"},
		file + "/within": {says: "not a directory"},
	} {
		got, err := engine{command: docker}.findBase(t.Context(), name)
		if test.says == "" {
			if err != nil || got != test.want {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		if !errors.Is(err, ErrNoBase) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCommandEnds: a command that is cancelled ends with all its children.
func TestCommandEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("enough"))
	defer cancel()
	began := time.Now()
	_, err := command{name: "sh", args: []string{"-c", "sleep 60 & sleep 60"}}.run(ctx)
	if err == nil || !strings.Contains(err.Error(), "enough") || time.Since(began) > 30*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// TestCommandEndsWithUs kills a process that runs a command; the command and its children must end with it.
func TestCommandEndsWithUs(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	victim := exec.Command(self)
	victim.Env = append(os.Environ(), helperEnv+"=sleep 60 & echo $$ $! >"+pids+".new; mv "+pids+".new "+pids+"; sleep 60")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command runs", func() bool { _, err := os.Stat(pids); return err == nil })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	content, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "process "+text+" is gone", func() bool {
			_, err := journal.Lookup(pid)
			return errors.Is(err, syscall.ESRCH)
		})
	}
}

func TestCommandOutput(t *testing.T) {
	t.Parallel()
	output, err := command{name: "cat", stdin: strings.NewReader("in\n")}.run(t.Context())
	if output != "in" || err != nil {
		t.Errorf("%q, %v", output, err)
	}
	_, err = command{name: "sh", args: []string{"-c", "echo out; echo bad >&2; exit 3"}}.run(t.Context())
	if !says(err, "bad") || says(err, "out") {
		t.Errorf("error: %v", err)
	}
	var lines []string
	_, err = command{name: "printf", args: []string{`a\nb\nc`}, said: func(s string) { lines = append(lines, s) }}.run(t.Context())
	if err != nil || strings.Join(lines, ",") != "a,b" {
		t.Errorf("lines %q, %v", lines, err)
	}
}
