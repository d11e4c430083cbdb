package kubearchive

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCurrent fails when kube.txtar is not what go generate would write now.
func TestCurrent(t *testing.T) {
	t.Parallel()
	want, err := Pack(filepath.FromSlash("../../../../../cmd/kube"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.FromSlash("../../kube.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("kube.txtar is out of date: run go generate ./harness/cluster/embedded\n%s", cmp.Diff(string(got), string(want)))
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	module := map[string]string{
		"go.mod":  "module x\n\nrequire (\n\tk8s.io/component-base v0.99.1\n\tk8s.io/kubernetes v1.99.3-rc.1\n)\n",
		"go.sum":  "\n",
		"main.go": "package main\n",
	}
	for name, content := range module {
		write(t, from, name, content)
	}
	for _, name := range []string{"main_test.go", "README.md", "kube"} {
		write(t, from, name, "not part of it\n")
	}
	archive, err := Pack(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := Unpack(archive, to); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(to, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(content)
	}
	if diff := cmp.Diff(module, got); diff != "" {
		t.Error(diff)
	}
	if version, err := Version(archive); err != nil || version != "v1.99.3-rc.1" {
		t.Errorf("version %q, %v", version, err)
	}
	write(t, from, "main.go", "package main // changed\n")
	if changed, err := Pack(from); err != nil || Hash(changed) == Hash(archive) {
		t.Errorf("changed sources have the same hash: %v", err)
	}
}

func TestPackRefuses(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"no newline", "package main\n-- main.go --\n"} {
		dir := t.TempDir()
		write(t, dir, "main.go", content)
		if _, err := Pack(dir); err == nil {
			t.Errorf("packed what would not come back the same: %q", content)
		}
	}
	if _, err := Version([]byte("-- go.mod --\nmodule x\n")); err == nil {
		t.Error("found a version where there is none")
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
