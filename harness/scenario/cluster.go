package scenario

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// defaultNodes is how many nodes a cluster has of which nothing says how many.
const defaultNodes = 3

// Nodes is how many nodes the cluster of a scenario in a folder has.
func Nodes(dir string, c v1alpha1.Cluster) int {
	listing := 0
	if c.Provider == "kind" && c.Kind != nil {
		listing = listed(Beside(dir, *c.Kind))
	}
	return cmp.Or(c.Nodes, listing, defaultNodes)
}

// listed is how many nodes a kind configuration lists; 0 if there is none that can be read, which its provider tells.
func listed(settings v1alpha1.KindCluster) int {
	var config struct {
		Nodes []any `json:"nodes"`
	}
	if all, ok := settings.Config["nodes"].([]any); ok {
		return len(all)
	}
	if settings.ConfigFile == "" {
		return 0
	}
	data, err := os.ReadFile(settings.ConfigFile)
	if err != nil || yaml.Unmarshal(data, &config) != nil {
		return 0
	}
	return len(config.Nodes)
}

// Beside returns settings whose relative paths start from a folder.
func Beside(dir string, settings v1alpha1.KindCluster) v1alpha1.KindCluster {
	if settings.ConfigFile != "" {
		settings.ConfigFile = Locate(dir, settings.ConfigFile)
	}
	settings.Images = slices.Clone(settings.Images)
	for i, image := range settings.Images {
		if strings.HasSuffix(image, ".tar") {
			settings.Images[i] = Locate(dir, image)
		}
	}
	return settings
}

// Locate returns a path that starts from a folder if it is relative.
func Locate(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
