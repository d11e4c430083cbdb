package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is the digest of the archive of controlPlane. It changes only on purpose: the same input must make the same archive.
const golden = "sha256:3324b22d8abe863bf1d6136240b236818c73c19e282a0d0c0f43175c89d0915c"

// controlPlane are two images that share a layer with one binary under several names, and one image of its own.
func controlPlane(t *testing.T) []Image {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kube")
	if err := os.WriteFile(binary, []byte("the binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	kube := layer(t,
		File{Path: "/usr/local/bin/kube-scheduler", Link: "kube"},
		File{Path: "/usr/local/bin/kube", Source: binary},
		File{Path: "/usr/local/bin/kube-apiserver", Link: "kube"},
	)
	pause := layer(t,
		File{Path: "/pause", Content: []byte("pause"), Mode: 0o555},
		File{Path: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	)
	return []Image{
		{Tags: []string{"registry.k8s.io/kube-apiserver:v1.36.3"}, Arch: "amd64", Layers: []*Layer{kube}, Env: []string{"PATH=/usr/local/bin"}},
		{Tags: []string{"registry.k8s.io/kube-scheduler:v1.36.3"}, Arch: "amd64", Layers: []*Layer{kube, pause}, Env: []string{"PATH=/usr/local/bin"}},
		{Tags: []string{"registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10.2"}, Arch: "amd64", Layers: []*Layer{pause}, Entrypoint: []string{"/pause"}, User: "65532"},
	}
}

func layer(t *testing.T, files ...File) *Layer {
	t.Helper()
	l, err := NewLayer(files...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWrite(t *testing.T) {
	t.Parallel()
	images := controlPlane(t)
	var out bytes.Buffer
	if err := Write(&out, images); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(out.Bytes()); "sha256:"+hex.EncodeToString(sum[:]) != golden {
		t.Errorf("the archive's digest is sha256:%x, want %s", sum, golden)
	}
	entries := readTar(t, out.Bytes())
	if len(entries) != 1+3+2 {
		t.Errorf("%d entries, want the manifest, three configurations and two layers: %v", len(entries), names(entries))
	}
	var manifest []manifestEntry
	decode(t, entries["manifest.json"].content, &manifest)
	if len(manifest) != len(images) {
		t.Fatalf("manifest of %d images, want %d", len(manifest), len(images))
	}
	for n, m := range manifest {
		if diff := cmp.Diff(images[n].Tags, m.RepoTags); diff != "" {
			t.Error(diff)
		}
		config := entries[m.Config].content
		if id, err := images[n].ID(); err != nil || id != digest(config) || m.Config != hexOf(id)+".json" {
			t.Errorf("%s: ID %s, %v, want the configuration's digest %s", m.Config, id, err, digest(config))
		}
		checkConfig(t, images[n], m, entries)
	}
}

// checkConfig compares an image with its configuration, and the configuration with the layers.
func checkConfig(t *testing.T, i Image, m manifestEntry, entries map[string]entry) {
	t.Helper()
	var config configFile
	decode(t, entries[m.Config].content, &config)
	want := runConfig{User: i.User, Env: i.Env, Entrypoint: i.Entrypoint}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Error(diff)
	}
	if config.OS != "linux" || config.Architecture != i.Arch {
		t.Errorf("platform %s/%s", config.OS, config.Architecture)
	}
	var diffIDs []string
	for _, path := range m.Layers {
		diffIDs = append(diffIDs, digest(entries[path].content))
	}
	if diff := cmp.Diff(diffIDs, config.RootFS.DiffIDs); diff != "" {
		t.Errorf("layers and diff IDs: %s", diff)
	}
	if len(config.History) != len(diffIDs) {
		t.Errorf("%d lines of history for %d layers: some engines refuse that", len(config.History), len(diffIDs))
	}
}

func TestLayer(t *testing.T) {
	t.Parallel()
	images := controlPlane(t)
	for name, test := range map[string]struct {
		layer *Layer
		want  string
	}{
		"one binary, many names": {images[0].Layers[0], strings.TrimLeft(`
usr/ 0755
usr/local/ 0755
usr/local/bin/ 0755
usr/local/bin/kube 0755 "the binary"
usr/local/bin/kube-apiserver -> kube
usr/local/bin/kube-scheduler -> kube
`, "\n")},
		"modes":         {images[2].Layers[0], "pause 0555 \"pause\"\ntmp/ 01777\n"},
		"no files":      {layer(t), ""},
		"an empty file": {layer(t, File{Path: "/empty", Content: []byte{}, Mode: fs.ModeSetuid | 0o711}), "empty 04711 \"\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			got, size, err := test.layer.write(&out)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.layer.Digest() || got != digest(out.Bytes()) || size != test.layer.Size() || size != int64(out.Len()) {
				t.Errorf("digest %s, size %d; the layer says %s, %d", got, size, test.layer.Digest(), test.layer.Size())
			}
			if diff := cmp.Diff(test.want, list(t, out.Bytes())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The order in which files are given does not matter.
func TestLayerIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b := File{Path: "/a/a", Content: []byte("a")}, File{Path: "/b", Content: []byte("b")}
	if one, other := layer(t, a, b), layer(t, b, a); one.Digest() != other.Digest() {
		t.Errorf("%s and %s", one.Digest(), other.Digest())
	}
	if one, other := layer(t, a, b), layer(t, a); one.Digest() == other.Digest() {
		t.Error("different files have the same digest")
	}
}

func TestNewLayerRefuses(t *testing.T) {
	t.Parallel()
	content := []byte("x")
	for name, test := range map[string]struct {
		files []File
		want  []string
	}{
		"a relative path":      {[]File{{Path: "bin/x", Content: content}}, []string{`"bin/x": the path must be absolute`}},
		"a path with dots":     {[]File{{Path: "/bin/../x", Content: content}}, []string{"without . or .."}},
		"nothing in it":        {[]File{{Path: "/x"}}, []string{"/x: it needs exactly one of"}},
		"two things in it":     {[]File{{Path: "/x", Content: content, Link: "y"}}, []string{"/x: it needs exactly one of"}},
		"a path twice":         {[]File{{Path: "/x", Content: content}, {Path: "/x", Link: "y"}}, []string{"/x: it is there twice"}},
		"a file below a file":  {[]File{{Path: "/x", Content: content}, {Path: "/x/y", Content: content}}, []string{"/x/y: /x, above it, is no folder"}},
		"a source not there":   {[]File{{Path: "/x", Source: "testdata/absent"}}, []string{"/x: open testdata/absent"}},
		"a folder as a source": {[]File{{Path: "/x", Source: "."}}, []string{"/x: . is not a regular file"}},
		"every mistake at once": {
			[]File{{Path: "x", Content: content}, {Path: "/y"}}, []string{`"x": the path must be absolute`, "/y: it needs exactly one of"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewLayer(test.files...)
			checkError(t, err, test.want)
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	good := func(change func(*Image)) []Image {
		i := Image{Tags: []string{"rehearse.dev/workload:dev"}, Arch: "arm64", Layers: []*Layer{layer(t)}}
		change(&i)
		return []Image{i}
	}
	for name, test := range map[string]struct {
		images []Image
		want   []string // none if it is fine
	}{
		"nothing wrong":       {good(func(*Image) {}), nil},
		"a registry's port":   {good(func(i *Image) { i.Tags = []string{"localhost:5000/a/b:1.0_x"} }), nil},
		"no registry":         {good(func(i *Image) { i.Tags = []string{"workload:dev"} }), []string{`image workload:dev: tag "workload:dev": want a registry`}},
		"no tag":              {good(func(i *Image) { i.Tags = []string{"rehearse.dev/workload"} }), []string{"want a registry, a name and a tag"}},
		"capital letters":     {good(func(i *Image) { i.Tags = []string{"rehearse.dev/Workload:dev"} }), []string{"want a registry"}},
		"bad environment":     {good(func(i *Image) { i.Env = []string{"PATH"} }), []string{`environment "PATH": want NAME=value`}},
		"everything missing":  {[]Image{{}}, []string{"image without a tag", "it has no tag", "it has no architecture", "it has no layer"}},
		"a tag on two images": {append(good(func(*Image) {}), good(func(i *Image) { i.User = "1" })...), []string{"tag rehearse.dev/workload:dev is given twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkError(t, Write(io.Discard, test.images), test.want)
		})
	}
}

// A source that changed would make an archive that does not hold what it says it holds.
func TestWriteNoticesChange(t *testing.T) {
	t.Parallel()
	for name, now := range map[string]string{"same length": "after!", "shorter": "now", "longer": strings.Repeat("x", 2000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source, target := filepath.Join(dir, "binary"), filepath.Join(dir, "archive.tar")
			if err := os.WriteFile(source, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			images := []Image{{Tags: []string{"a.b/c:d"}, Arch: "amd64", Layers: []*Layer{layer(t, File{Path: "/x", Source: source})}}}
			if err := os.WriteFile(source, []byte(now), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Save(target, images); !errors.Is(err, ErrSourceChanged) {
				t.Errorf("error %v, want %v", err, ErrSourceChanged)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	images := controlPlane(t)
	target := filepath.Join(t.TempDir(), "archive.tar")
	for range 2 { // the second one replaces the first
		if err := Save(target, images); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(target)
	if err != nil || digest(content) != golden {
		t.Errorf("digest %s, %v, want %s", digest(content), err, golden)
	}
	if err := Save(filepath.Join(t.TempDir(), "absent", "archive.tar"), images); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want %v", err, fs.ErrNotExist)
	}
}

func checkError(t *testing.T, err error, want []string) {
	t.Helper()
	if (err == nil) != (len(want) == 0) {
		t.Fatalf("error %v, want %q", err, want)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
}

type entry struct {
	header  *tar.Header
	content []byte
}

func readTar(t *testing.T, archive []byte) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[header.Name]; twice {
			t.Errorf("%s is there twice", header.Name)
		}
		all[header.Name] = entry{header, content}
	}
}

// list describes the files of a layer in the order in which they are.
func list(t *testing.T, archive []byte) string {
	t.Helper()
	var lines strings.Builder
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.ModTime.Unix() != 0 {
			t.Errorf("%s belongs to %d:%d, of %s", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		switch header.Typeflag {
		case tar.TypeSymlink:
			fmt.Fprintf(&lines, "%s -> %s\n", header.Name, header.Linkname)
		case tar.TypeDir:
			fmt.Fprintf(&lines, "%s %#o\n", header.Name, header.Mode)
		default:
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&lines, "%s %#o %q\n", header.Name, header.Mode, content)
		}
	}
}

func names(entries map[string]entry) []string {
	var all []string
	for name := range entries {
		all = append(all, name)
	}
	return all
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
