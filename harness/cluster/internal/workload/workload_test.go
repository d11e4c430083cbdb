package workload

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

// TestCurrent fails when workload.txtar is not what go generate would write now.
func TestCurrent(t *testing.T) {
	t.Parallel()
	want, err := gobuild.Pack(filepath.FromSlash("../../../../cmd/workload"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sources, want) {
		t.Errorf("workload.txtar is out of date: run go generate ./harness/cluster/internal/workload\n%s", cmp.Diff(string(sources), string(want)))
	}
}

// The charts ask for the image by the name that it has.
func TestTag(t *testing.T) {
	t.Parallel()
	values, err := os.ReadFile(filepath.FromSlash("../../../../charts/shop/values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(values), "\nimage: "+Tag+"\n") {
		t.Errorf("charts/shop has another image than %s", Tag)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	path, err := Archive(t.Context(), func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	again, err := Archive(t.Context(), func(s string) { t.Errorf("made again: %s", s) })
	if err != nil || again != path {
		t.Errorf("the second time it is %s, %v, not %s", again, err, path)
	}
	files := untar(t, open(t, path))
	var manifest []struct {
		RepoTags, Layers []string
		Config           string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 || cmp.Diff([]string{Tag}, manifest[0].RepoTags) != "" {
		t.Fatalf("manifest: %+v", manifest)
	}
	if config := string(files[manifest[0].Config]); !strings.Contains(config, `"architecture":"`+runtime.GOARCH+`"`) {
		t.Errorf("another architecture than this machine's: %s", config)
	}
	binary, err := elf.NewFile(bytes.NewReader(untar(t, bytes.NewReader(files[manifest[0].Layers[0]]))["workload"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is not static, and the image has no loader")
		}
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func untar(t *testing.T, from io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(from); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
