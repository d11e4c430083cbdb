package bench_test

import (
	"os"
	"os/exec"
	"testing"
)

// buildPeers builds the programs that rehearse is compared with, as their projects release them: without cgo. Helm is of
// the very version that rehearse is built with, since go.mod names it as a tool. It returns the folder they are in.
func buildPeers(b *testing.B) string {
	b.Helper()
	dir := b.TempDir() + "/"
	for _, build := range []struct{ folder, pkg string }{{".", "helm.sh/helm/v4/cmd/helm"}, {"kubectl", "."}} {
		cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", dir, build.pkg)
		cmd.Dir = build.folder
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("building %s: %v\n%s", build.pkg, err, out)
		}
	}
	return dir
}
