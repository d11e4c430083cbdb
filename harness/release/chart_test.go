package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/registry"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// write makes files below a new folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestValues(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"release.yaml": "a: release file\nb: release file\nc: release file\nd: release file\nlist: [1, 2]\n",
		"step.yaml":    "b: step file\nc: step file\nd: step file\nmap: {x: 1}\nlist: [3]\n",
		"broken.yaml":  "a: [",
	})
	rel := v1alpha1.Release{
		ValueFiles: []string{"release.yaml"},
		Values:     map[string]any{"c": "release", "d": "release", "map": map[string]any{"y": int64(2)}, "gone": "x"},
	}
	src := v1alpha1.ChartSource{
		ValueFiles: []string{filepath.Join(dir, "step.yaml")},
		Values:     map[string]any{"d": "step", "gone": nil},
	}
	got, err := Charts{BaseDir: dir}.values(rel, src)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": "release file", "b": "step file", "c": "release", "d": "step",
		"list": []any{float64(3)}, // lists are replaced
		"map":  map[string]any{"x": float64(1), "y": float64(2)},
		"gone": nil, // Helm takes null for the removal of a chart's default
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("merged values differ (-want +got):\n%s", diff)
	}
	// Helm changes the values it is given; the scenario's must not change with them.
	got["map"].(map[string]any)["y"] = "changed"
	if rel.Values["map"].(map[string]any)["y"] != int64(2) {
		t.Error("the merged values share a map with the release's")
	}

	for file, want := range map[string]string{"missing.yaml": "no such file", "broken.yaml": "broken.yaml"} {
		_, err := Charts{BaseDir: dir}.values(v1alpha1.Release{ValueFiles: []string{file}}, v1alpha1.ChartSource{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", file, err, want)
		}
	}
}

// tiny is a chart of one ConfigMap.
func tiny(version string) map[string]string {
	return map[string]string{
		"tiny/Chart.yaml":        "apiVersion: v2\nname: tiny\nversion: " + version + "\n",
		"tiny/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tiny}\ndata: {v: {{ .Chart.Version | quote }}}\n",
	}
}

// pack makes a chart archive.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	w := tar.NewWriter(zipped)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// repository serves tiny 1.0.0 and 2.0.0 as a chart repository.
func repository(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`apiVersion: v1
entries:
  tiny:
  - {apiVersion: v2, name: tiny, version: 2.0.0, urls: [tiny-2.0.0.tgz]}
  - {apiVersion: v2, name: tiny, version: 1.0.0, urls: [tiny-1.0.0.tgz]}
`))
	})
	for _, version := range []string{"1.0.0", "2.0.0"} {
		archive := pack(t, tiny(version))
		mux.HandleFunc("GET /tiny-"+version+".tgz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// ociRegistry serves tiny 1.0.0 at REGISTRY/charts/tiny, over TLS.
func ociRegistry(t *testing.T) (host string, client *http.Client) {
	t.Helper()
	layer, config := pack(t, tiny("1.0.0")), []byte(`{"name":"tiny","version":"1.0.0","apiVersion":"v2"}`)
	descriptor := func(kind string, blob []byte) map[string]any {
		return map[string]any{"mediaType": kind, "digest": digest(blob), "size": len(blob)}
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor(registry.ConfigMediaType, config),
		"layers": []any{descriptor(registry.ChartLayerMediaType, layer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	serve := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Docker-Content-Digest", digest(body))
			_, _ = w.Write(body)
		}
	}
	mux := http.NewServeMux()
	for _, ref := range []string{"1.0.0", digest(manifest)} {
		mux.HandleFunc("GET /v2/charts/tiny/manifests/"+ref, serve(manifestType, manifest))
	}
	for _, blob := range [][]byte{layer, config} {
		mux.HandleFunc("GET /v2/charts/tiny/blobs/"+digest(blob), serve("application/octet-stream", blob))
	}
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "https://"), server.Client()
}

func digest(blob []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(blob)) }

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := write(t, tiny("1.0.0"))
	if err := os.WriteFile(filepath.Join(dir, "tiny-3.0.0.tgz"), pack(t, tiny("3.0.0")), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := repository(t)
	oci, client := ociRegistry(t)
	for name, test := range map[string]struct {
		rel  v1alpha1.Release
		src  v1alpha1.ChartSource
		want string // the chart's version
		err  string
	}{
		"a folder":                      {rel: v1alpha1.Release{Chart: "./tiny"}, want: "1.0.0"},
		"an archive":                    {rel: v1alpha1.Release{Chart: "tiny-3.0.0.tgz"}, want: "3.0.0"},
		"an absolute path":              {rel: v1alpha1.Release{Chart: filepath.Join(dir, "tiny")}, want: "1.0.0"},
		"the newest of a repository":    {rel: v1alpha1.Release{Chart: "tiny", Repo: repo}, want: "2.0.0"},
		"a version of a repository":     {rel: v1alpha1.Release{Chart: "tiny", Repo: repo, Version: "1.0.0"}, want: "1.0.0"},
		"the operation's version":       {rel: v1alpha1.Release{Chart: "tiny", Repo: repo, Version: "2.0.0"}, src: v1alpha1.ChartSource{Version: "1.0.0"}, want: "1.0.0"},
		"a folder beside a repository":  {rel: v1alpha1.Release{Chart: "tiny", Repo: repo}, src: v1alpha1.ChartSource{Chart: "./tiny"}, want: "1.0.0"},
		"a URL":                         {rel: v1alpha1.Release{Chart: repo + "/tiny-2.0.0.tgz"}, want: "2.0.0"},
		"an OCI reference":              {rel: v1alpha1.Release{Chart: "oci://" + oci + "/charts/tiny", Version: "1.0.0"}, want: "1.0.0"},
		"no such folder":                {rel: v1alpha1.Release{Chart: "./huge"}, err: "chart ./huge: there is no such folder or archive"},
		"a folder that is no chart":     {rel: v1alpha1.Release{Chart: "."}, err: "Chart.yaml"},
		"not in the repository":         {rel: v1alpha1.Release{Chart: "huge", Repo: repo}, err: `chart "huge" not found`},
		"a version that does not exist": {rel: v1alpha1.Release{Chart: "tiny", Repo: repo, Version: "9.0.0"}, err: "9.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			charts := Charts{BaseDir: dir, CacheDir: t.TempDir(), http: client}
			got, err := charts.load(t.Context(), test.rel, test.src)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			ac, err := chart.NewAccessor(got.chart)
			if err != nil {
				t.Fatal(err)
			}
			if v := ac.MetadataAsMap()["Version"]; v != test.want {
				t.Errorf("got version %v, want %s", v, test.want)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"needy/Chart.yaml":   "apiVersion: v2\nname: needy\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.0.0, repository: https://example.com}]\n",
		"library/Chart.yaml": "apiVersion: v2\nname: library\nversion: 1.0.0\ntype: library\n",
	})
	charts := Charts{BaseDir: dir, CacheDir: t.TempDir()}
	if _, err := charts.load(t.Context(), v1alpha1.Release{Chart: "needy"}, v1alpha1.ChartSource{}); err == nil || !strings.Contains(err.Error(), "redis") {
		t.Errorf("a chart without its dependency: got error %v, want one that names it", err)
	}
	library, err := charts.load(t.Context(), v1alpha1.Release{Chart: "library"}, v1alpha1.ChartSource{})
	if err != nil {
		t.Fatal(err)
	}
	if err := library.installable(); err == nil || !strings.Contains(err.Error(), "type library") {
		t.Errorf("a library chart: got error %v, want one about its type", err)
	}
}

// TestDownloadIsCancelled checks that a server that does not answer holds an operation up only as long as its context.
func TestDownloadIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	_, err := Charts{CacheDir: t.TempDir()}.load(ctx, v1alpha1.Release{Chart: "tiny", Repo: server.URL}, v1alpha1.ChartSource{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want one of cancellation", err)
	}
}

// TestCacheStaysInside checks that what Helm downloads stays within the cache folder.
func TestCacheStaysInside(t *testing.T) {
	home, cache := t.TempDir(), t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"} {
		t.Setenv(name, filepath.Join(home, name))
	}
	t.Setenv("HELM_REPOSITORY_CACHE", filepath.Join(home, "repository"))
	charts := Charts{CacheDir: cache}
	if _, err := charts.load(t.Context(), v1alpha1.Release{Chart: "tiny", Repo: repository(t)}, v1alpha1.ChartSource{}); err != nil {
		t.Fatal(err)
	}
	if files := count(t, cache); files == 0 {
		t.Error("nothing was cached")
	}
	if files := count(t, home); files != 0 {
		t.Errorf("%d files were written to the user's folders", files)
	}
}

func count(t *testing.T, dir string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
