package nodeimage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

// TestPodman asks for what podman tells by other words.
func TestPodman(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "podman")
	const says = "#!/bin/sh\ncase $1 in info) echo amd64 ;; *) echo 'Error: inspecting object: x: image not known' >&2; exit 125 ;; esac\n"
	if err := os.WriteFile(path, []byte(says), 0o700); err != nil {
		t.Fatal(err)
	}
	podman := engine{command: path}
	if arch, err := podman.arch(t.Context()); arch != "amd64" || err != nil {
		t.Errorf("architecture %q, %v", arch, err)
	}
	if id, err := podman.imageID(t.Context(), "x"); id != "" || err != nil {
		t.Errorf("an image that is not there: %q, %v", id, err)
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
