package gobuild

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
	if version, err := RequiredVersion(archive, "k8s.io/kubernetes"); err != nil || version != "v1.99.3-rc.1" {
		t.Errorf("version %q, %v", version, err)
	}
	write(t, from, "main.go", "package main // changed\n")
	if changed, err := Pack(from); err != nil || (Program{Sources: changed}).key() == (Program{Sources: archive}).key() {
		t.Errorf("changed sources have the same key: %v", err)
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
	if _, err := RequiredVersion([]byte("-- go.mod --\nmodule x\n"), "k8s.io/kubernetes"); err == nil {
		t.Error("found a version where there is none")
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPackWithoutModule: what is part of a greater module becomes one by itself.
func TestPackWithoutModule(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "main.go", "package main\n")
	archive, err := Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := header + "-- main.go --\npackage main\n-- go.mod --\nmodule small\n\ngo " + languageVersion + "\n"
	if diff := cmp.Diff(want, string(archive)); diff != "" {
		t.Error(diff)
	}
}

// TestKeys: whatever decides what comes out of a build changes its key.
func TestKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, change := range map[string]func(*Program){
		"nothing":  func(*Program) {},
		"version":  func(p *Program) { p.Version = "v2" },
		"sources":  func(p *Program) { p.Sources = append(p.Sources, '\n') },
		"packages": func(p *Program) { p.Packages = []string{"./one"} },
		"tags":     func(p *Program) { p.Tags = []string{"one"} },
		"ldflags":  func(p *Program) { p.LDFlags = "-w" },
		"os":       func(p *Program) { p.OS = "plan9" },
		"arch":     func(p *Program) { p.Arch = "riscv64" },
	} {
		p := program()
		change(&p)
		if other, ok := seen[p.key()]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[p.key()] = name
	}
}
