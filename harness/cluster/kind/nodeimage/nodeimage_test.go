package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
)

func TestCurrentImageIsLeftAlone(t *testing.T) {
	t.Parallel()
	r, err := newRecipe("amd64")
	if err != nil {
		t.Fatal(err)
	}
	docker, log := script(t, fmt.Sprintf(`case "$*" in *Labels*) echo '{"%s":"%s"}' ;; *.Id*) echo sha256:1 ;; *) exit 9 ;; esac`, RecipeLabel, r.key()))
	b := newTestBuilder(t, docker)
	var told string
	b.progress = func(line string) { told += line }
	result, err := b.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Tag != b.tag || result.ID != "sha256:1" || result.Recipe != r.key() || result.Kubernetes != "v1.36.3" {
		t.Errorf("result: %+v", result)
	}
	if len(result.Phases) != 1 || !result.Phases[0].Cached || !strings.Contains(told, "nothing to build") {
		t.Errorf("phases %+v, told %q", result.Phases, told)
	}
	if other := calls(t, log, ""); len(other) != len(calls(t, log, "image inspect")) {
		t.Errorf("more was done than to look: %q", other)
	}
}

// TestEnsure goes the whole way to a current image, by the engine on the PATH.
func TestEnsure(t *testing.T) {
	r, err := newRecipe("amd64")
	if err != nil {
		t.Fatal(err)
	}
	docker, _ := script(t, fmt.Sprintf(`case "$*" in version*) echo amd64 ;; *Labels*example.org/a:b) echo '{"%s":"%s"}' ;; *.Id*) echo sha256:1 ;; *) exit 9 ;; esac`, RecipeLabel, r.key()))
	t.Setenv("PATH", filepath.Dir(docker)+":"+os.Getenv("PATH"))
	t.Setenv(cachedir.Env, t.TempDir())
	if tag, err := Ensure(t.Context(), Options{Tag: "example.org/a:b", StateRoot: t.TempDir()}); err != nil || tag != "example.org/a:b" {
		t.Errorf("tag %q, %v", tag, err)
	}
}

// TestPhases: what is in the cache is told apart, and a phase that fails ends the build.
func TestPhases(t *testing.T) {
	t.Parallel()
	b := newTestBuilder(t, "no-such-command")
	broken := errors.New("broken")
	for _, p := range []phase{
		{"one", func(context.Context) (bool, error) { return true, nil }},
		{"two", func(context.Context) (bool, error) { return false, nil }},
		{"three", func(context.Context) (bool, error) { return false, broken }},
	} {
		if err := b.run(t.Context(), p); errors.Is(err, broken) != (p.name == "three") {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	if len(b.phases) != 2 || !b.phases[0].Cached || b.phases[1].Cached {
		t.Errorf("phases: %+v", b.phases)
	}
}
