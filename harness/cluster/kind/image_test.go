package kind

import (
	"errors"
	"strings"
	"testing"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/kind/nodeimage"
)

// The image that is built is the one that is looked for.
func TestOwnImage(t *testing.T) {
	t.Parallel()
	if got := nodeimage.DefaultTag(); got != OwnImage {
		t.Errorf("%s is built, %s is looked for", got, OwnImage)
	}
}

// TestOldImage: an image that lacks what a cluster's config counts on is refused, with the command that cures it.
func TestOldImage(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, test := range []struct{ name, image, labels, says string }{
		{"before there was a format", OwnImage, `{"rehearse.dev/recipe":"1"}`, "(rehearse kind-image build makes it anew)"},
		{"another name", "mine:v1.36.3", `{"rehearse.dev/recipe":"1","rehearse.dev/node-format":"1"}`, "kind-image build --tag mine:v1.36.3"},
		{"of now", OwnImage, `{"rehearse.dev/recipe":"1","rehearse.dev/node-format":"2"}`, ""},
		{"of others", "kindest/node:v1.36.0", `{"a":"b"}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			fakeEngine(t, dir, "docker", "echo '"+test.labels+"'")
			p := New(WithNodeImage(test.image))
			_, _, err := p.plan(t.Context(), engine{binary: "docker"}, engineInfo{}, cluster.Spec{Name: "a", Progress: func(string) {}})
			if errors.Is(err, ErrOldImage) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
		})
	}
}

func TestKubeVersion(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv(EnvEngine, "")
	const info = `if [ "$1" = info ]; then echo {}; exit; fi; `
	node := func(image string) Option {
		return WithConfig(&v1alpha4.Cluster{Nodes: []v1alpha4.Node{{Image: image}}})
	}
	for _, test := range []struct {
		name   string
		engine string // the script of docker
		opts   []Option
		want   string
		err    error
	}{
		{name: "an option", opts: []Option{WithNodeImage("kindest/node:v1.35.1@sha256:0"), node("x:v1.1.1")}, want: "v1.35.1"},
		{name: "the config", opts: []Option{node("example.com:5000/node:v1.34.0-rc.1")}, want: "v1.34.0-rc.1"},
		{name: "no version", opts: []Option{WithNodeImage("node:latest")}, err: ErrVersion},
		{name: "no engine", err: ErrNoRuntime},
		{name: "our image is there", engine: info + `echo '{"rehearse.dev/recipe":"1"}'`, want: KubeVersion},
		{name: "it is not", engine: info + "exit 1", want: "v1.37.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.engine != "" {
				fakeEngine(t, dir, "docker", test.engine)
			}
			got, err := New(test.opts...).KubeVersion(t.Context())
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("version %q, %v", got, err)
			}
		})
	}
}
