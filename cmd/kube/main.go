// Command kube is one multi-call binary of the upstream Kubernetes control plane: etcd, kube-apiserver,
// kube-controller-manager and kube-scheduler, chosen by the name it is called by or by its first argument. With the
// build tag node it is kubelet, kube-proxy, kubeadm and kubectl too, which node images need.
//
// It is a module of its own because k8s.io/kubernetes cannot share a build with helm.sh/helm/v4: it needs a replace
// line for every staging module, and Helm wants newer ones.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// component is one upstream program. Its run function parses os.Args by itself and returns the exit code.
type component struct {
	name string
	run  func() int
}

// components is the one list of what this binary can be. Programs for nodes join it with the build tag node.
func components() []component {
	return slices.Concat(controlPlane(), nodePrograms())
}

func main() {
	dieWithParent()
	os.Exit(dispatch(components()))
}

// dispatch runs the component named by argv[0] or, failing that, by the first argument, which it removes.
func dispatch(all []component) int {
	if c, ok := find(all, filepath.Base(os.Args[0])); ok {
		return c.run()
	}
	if len(os.Args) > 1 {
		if c, ok := find(all, os.Args[1]); ok {
			os.Args = os.Args[1:]
			return c.run()
		}
	}
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.name
	}
	fmt.Fprintf(os.Stderr, "usage: kube COMPONENT [FLAG ...], where COMPONENT is one of %s\n", strings.Join(names, ", "))
	return 2
}

func find(all []component, name string) (component, bool) {
	i := slices.IndexFunc(all, func(c component) bool { return c.name == name })
	if i < 0 {
		return component{}, false
	}
	return all[i], true
}
