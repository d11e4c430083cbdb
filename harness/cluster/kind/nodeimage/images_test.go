package nodeimage

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

const kubeadmList = `registry.example/kube-apiserver:v1
registry.example/kube-controller-manager:v1
registry.example/kube-scheduler:v1
registry.example/kube-proxy:v1
registry.example/coredns/coredns:v1.14.2
registry.example/pause:3.11
registry.example/etcd:4
`

func TestChooseImages(t *testing.T) {
	t.Parallel()
	kube := []string{
		"registry.example/kube-apiserver:v1", "registry.example/kube-controller-manager:v1",
		"registry.example/kube-scheduler:v1", "registry.example/etcd:4",
	}
	for name, test := range map[string]struct {
		config string
		pause  []string
	}{
		"one more pause":  {`  sandbox_image = "registry.example/pause:3.10"`, []string{"registry.example/pause:3.11", "registry.example/pause:3.10"}},
		"the same pause":  {`sandbox_image = "registry.example/pause:3.11"`, []string{"registry.example/pause:3.11"}},
		"no pause at all": {`# sandbox_image = "registry.example/pause:3.11"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := chooseImages(kubeadmList, test.config)
			if (err != nil) != (test.pause == nil) {
				t.Fatalf("error: %v", err)
			}
			if err != nil {
				return
			}
			want := imageNames{kube: kube, pause: test.pause, proxy: "registry.example/kube-proxy:v1", dns: "registry.example/coredns/coredns:v1.14.2"}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(imageNames{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, missing := range []string{"etcd:4", "kube-proxy:v1", "coredns/coredns:v1.14.2"} {
		list := strings.Replace(kubeadmList, "registry.example/"+missing+"\n", "", 1)
		if got, err := chooseImages(list, `sandbox_image = "x"`); err == nil {
			t.Errorf("without %s: was content with %v", missing, got)
		}
	}
}

// TestUnpack: what is taken out of a root file system keeps its content and its rights.
func TestUnpack(t *testing.T) {
	t.Parallel()
	folder, library := tar.Header{Name: "usr/lib/x/", Typeflag: tar.TypeDir, Mode: 0o755}, tar.Header{Name: "usr/lib/x/libx.so", Typeflag: tar.TypeReg, Mode: 0o644, Size: 1}
	program := tar.Header{Name: "usr/sbin/nft", Typeflag: tar.TypeReg, Mode: 0o755, Size: 1}
	got, err := unpack(pack(t, folder, library, program))
	want := []image.File{
		{Path: "/usr/lib/x/libx.so", Content: []byte("x"), Mode: 0o644}, {Path: "/usr/sbin/nft", Content: []byte("x"), Mode: 0o755},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	link := tar.Header{Name: "usr/lib/x/liby.so", Typeflag: tar.TypeLink, Linkname: "usr/lib/x/libx.so"}
	if _, err := unpack(pack(t, library, link)); err == nil {
		t.Error("a link was left out")
	}
	if _, err := unpack(strings.NewReader("no archive")); err == nil {
		t.Error("was content with what is no archive")
	}
}

// pack makes an archive whose files hold the letter x.
func pack(t *testing.T, headers ...tar.Header) io.Reader {
	t.Helper()
	packed := &bytes.Buffer{}
	w := tar.NewWriter(packed)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(strings.Repeat("x", int(h.Size)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed
}
