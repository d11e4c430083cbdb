package embedded

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

//go:generate go run ../gobuild/pack ../../../cmd/kube kube.txtar

// kubeSources are the sources of the kube binary.
//
//go:embed kube.txtar
var kubeSources []byte

// EnvKubeBinary names a kube binary to use instead of building one.
const EnvKubeBinary = "REHEARSE_KUBE_BIN"

// EnsureKube returns the path of the kube binary: what REHEARSE_KUBE_BIN names or, without it, the one in the cache,
// which is built first if it is not there. That takes minutes; progress receives a line every few seconds.
func EnsureKube(ctx context.Context, progress func(string)) (path string, err error) {
	return ensureKube(ctx, "", progress)
}

func ensureKube(ctx context.Context, stateRoot string, progress func(string)) (string, error) {
	if path := os.Getenv(EnvKubeBinary); path != "" {
		return checkBinary(path, EnvKubeBinary)
	}
	program, err := Kube()
	if err != nil {
		return "", err
	}
	builder, err := gobuild.New(stateRoot, progress)
	if err != nil {
		return "", err
	}
	dir, err := builder.Ensure(ctx, program)
	return filepath.Join(dir, "kube"), err
}

// checkBinary returns the absolute path if a program is there.
func checkBinary(path, what string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w (without it, one is built)", what, err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("%s: %s is not an executable file (without it, one is built)", what, path)
	}
	return filepath.Abs(path)
}

// KubeVersion is the version of the control plane that is built here, for example v1.36.3. A binary that
// REHEARSE_KUBE_BIN names may be of another one: see Provider.KubeVersion.
func KubeVersion() (string, error) { return gobuild.RequiredVersion(kubeSources, kubeModule) }

// Kube is the kube binary as a program to be built. Build tags may be added to make more of it than a control plane.
func Kube() (gobuild.Program, error) {
	version, err := KubeVersion()
	if err != nil {
		return gobuild.Program{}, err
	}
	return gobuild.Program{
		Name:    "kube",
		What:    "the control plane, Kubernetes " + version,
		Version: version,
		Sources: kubeSources,
		LDFlags: ldflags(version),
		Expect:  "once for this version; 6 to 9 minutes on 2 cores and some 4 GB of Go's build cache if nothing of it was compiled before",
		Else:    "build cmd/kube elsewhere for this platform and set " + EnvKubeBinary + " to the binary",
	}, nil
}

// ldflags strip the binary and stamp the version, which kubeVersion constraints of charts are checked against.
func ldflags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const pkg = "k8s.io/component-base/version."
	return fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s", pkg, version, pkg, major, pkg, minor)
}
