package release

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/loader"
	v2loader "helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/registry"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// Charts finds charts and their values.
type Charts struct {
	// BaseDir is the folder that relative paths start from.
	BaseDir string
	// CacheDir holds what Helm downloads.
	CacheDir string

	// http is for oci:// references; nil means Helm's own. Tests set it.
	http *http.Client
}

// loaded is a chart with the values that an operation gives it.
type loaded struct {
	chart  chart.Charter
	values map[string]any
}

// load finds and reads the chart and values of one operation: src over rel.
func (c Charts) load(ctx context.Context, rel v1alpha1.Release, src v1alpha1.ChartSource) (*loaded, error) {
	values, err := c.values(rel, src)
	if err != nil {
		return nil, err
	}
	ref, version := or(src.Chart, rel.Chart), or(src.Version, rel.Version)
	path, err := c.locate(ctx, ref, rel.Repo, version)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", ref, err)
	}
	ch, err := loader.Load(path)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", ref, err)
	}
	if err := checkDependencies(ch); err != nil {
		return nil, fmt.Errorf("chart %s: %w", ref, err)
	}
	return &loaded{chart: ch, values: values}, nil
}

// locate returns the chart's path on disk, downloaded if need be. Helm's downloads take no context: if ctx ends first,
// one goes on into the cache by itself until Helm's own timeout.
func (c Charts) locate(ctx context.Context, ref, repo, version string) (string, error) {
	if isLocal(ref, repo) {
		return c.local(ref)
	}
	opts, err := c.pathOptions(repo, version)
	if err != nil {
		return "", err
	}
	type answer struct {
		path string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		a.err = recovered(func() (err error) {
			a.path, err = opts.LocateChart(ref, c.settings())
			return err
		})
		done <- a
	}()
	select {
	case a := <-done:
		return a.path, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("downloading it: %w", context.Cause(ctx))
	}
}

// isLocal tells a folder or archive from what has to be downloaded. A repository holds names only: neither a path that
// starts with a dot or a slash nor a reference with a scheme is looked up in it.
func isLocal(ref, repo string) bool {
	if strings.Contains(ref, "://") {
		return false
	}
	return repo == "" || filepath.IsAbs(ref) || strings.HasPrefix(ref, ".")
}

func (c Charts) local(ref string) (string, error) {
	path := c.path(ref)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no such folder or archive; for the chart of a repository state release.repo: %w", err)
	}
	return path, nil
}

// path is a path of the scenario's on disk.
func (c Charts) path(stated string) string {
	if filepath.IsAbs(stated) {
		return stated
	}
	return filepath.Join(c.BaseDir, stated)
}

func (c Charts) pathOptions(repo, version string) (*action.ChartPathOptions, error) {
	options := []registry.ClientOption{
		registry.ClientOptWriter(io.Discard),
		registry.ClientOptEnableCache(true),
		registry.ClientOptCredentialsFile(filepath.Join(c.CacheDir, "helm", "registry.json")),
	}
	if c.http != nil {
		options = append(options, registry.ClientOptHTTPClient(c.http))
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("making a registry client: %w", err)
	}
	install := action.NewInstall(&action.Configuration{RegistryClient: client})
	install.RepoURL, install.Version = repo, version
	return &install.ChartPathOptions, nil
}

// settings keep Helm within CacheDir. The zero value of every other field is "unset"; cli.New would read HELM_*.
func (c Charts) settings() *cli.EnvSettings {
	dir := filepath.Join(c.CacheDir, "helm")
	return &cli.EnvSettings{
		PluginsDirectory: filepath.Join(dir, "plugins"),
		RegistryConfig:   filepath.Join(dir, "registry.json"),
		RepositoryConfig: filepath.Join(dir, "repositories.yaml"),
		RepositoryCache:  filepath.Join(dir, "repository"),
		ContentCache:     filepath.Join(dir, "content"),
	}
}

// checkDependencies refuses a chart whose charts/ folder lacks a dependency, as helm install and upgrade do.
func checkDependencies(ch chart.Charter) error {
	ac, err := chart.NewAccessor(ch)
	if err != nil {
		return err
	}
	if err := action.CheckDependencies(ch, ac.MetaDependencies()); err != nil {
		return fmt.Errorf("dependencies are missing; run helm dependency build: %w", err)
	}
	return nil
}

// installable refuses library charts, as helm install does.
func (l *loaded) installable() error {
	ac, err := chart.NewAccessor(l.chart)
	if err != nil {
		return err
	}
	kind, _ := ac.MetadataAsMap()["Type"].(string)
	if kind == "" || kind == "application" {
		return nil
	}
	return fmt.Errorf("chart %s is of type %s; only application charts can be installed", ac.Name(), kind)
}

// values merges as helm does: first the files, then what is set; in each the operation's over the release's.
func (c Charts) values(rel v1alpha1.Release, src v1alpha1.ChartSource) (map[string]any, error) {
	merged := map[string]any{}
	for _, file := range append(rel.ValueFiles[:len(rel.ValueFiles):len(rel.ValueFiles)], src.ValueFiles...) {
		data, err := os.ReadFile(c.path(file))
		if err != nil {
			return nil, fmt.Errorf("value file %s: %w", file, err)
		}
		values, err := v2loader.LoadValues(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("value file %s: %w", file, err)
		}
		merged = v2loader.MergeMaps(merged, values)
	}
	for _, set := range []map[string]any{rel.Values, src.Values} {
		values, err := helmValues(set)
		if err != nil {
			return nil, err
		}
		merged = v2loader.MergeMaps(merged, values)
	}
	return merged, nil
}

// helmValues reads a map as if it stood in a value file, which also makes it Helm's to change.
func helmValues(set map[string]any) (map[string]any, error) {
	if len(set) == 0 {
		return nil, nil
	}
	data, err := yaml.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	values, err := v2loader.LoadValues(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	return values, nil
}
