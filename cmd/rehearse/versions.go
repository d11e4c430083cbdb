package main

import (
	"path/filepath"
	"runtime"
	"runtime/debug"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
)

// version is stamped by the Makefile; empty in a build without it.
var version string

// versions are those of the programs and libraries that decide what a run finds. Kubernetes' is that of the clusters.
func versions() map[string]string {
	all := map[string]string{"rehearse": programVersion(), "go": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	names := map[string]string{"helm.sh/helm/v4": "helm", "sigs.k8s.io/cli-utils": "kstatus", "sigs.k8s.io/kwok": "kwok"}
	for _, dep := range info.Deps {
		if name, ok := names[dep.Path]; ok {
			all[name] = dep.Version
		}
	}
	return all
}

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// chartCache is the folder of charts that were downloaded to be rendered before any cluster boots.
func chartCache() (string, error) {
	root, err := cachedir.Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "charts"), nil
}
