package nodeimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

// program builds a program, unless it is there.
func (b *builder) program(ctx context.Context, p gobuild.Program) (dir string, cached bool, err error) {
	if dir, cached, err = b.gobuild.Find(p); cached || err != nil {
		return dir, cached, err
	}
	dir, err = b.gobuild.Ensure(ctx, p)
	return dir, false, err
}

// downloaded is what the go command says of a module.
type downloaded struct{ Dir, Sum, Error string }

// kindFolder returns the folder of kind's sources in the module cache, which the go command fills and checks.
func kindFolder(ctx context.Context) (dir string, cached bool, err error) {
	if dir, err := downloadKind(ctx, "GOPROXY=off"); err == nil {
		return dir, true, nil
	}
	dir, err = downloadKind(ctx)
	return dir, false, err
}

func downloadKind(ctx context.Context, env ...string) (string, error) {
	module := kindModule + "@" + kindVersion
	output, err := command{
		name: "go", args: []string{"mod", "download", "-json", module}, dir: os.TempDir(),
		// Its checksum is known here, so that no checksum database need be reached.
		env: append([]string{"GOWORK=off", "GOFLAGS=-mod=mod", "GONOSUMDB=" + kindModule}, env...),
	}.run(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: %w", gobuild.ErrNoToolchain, err)
	}
	var found downloaded
	if decodeErr := json.Unmarshal([]byte(output), &found); err == nil && decodeErr != nil {
		err = decodeErr
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %s: %w (check the network and go env GOPROXY)", gobuild.ErrNoModules, module, err)
	case found.Error != "":
		return "", fmt.Errorf("%w: %s: %s (check the network and go env GOPROXY)", gobuild.ErrNoModules, module, found.Error)
	case found.Sum != kindSum:
		return "", fmt.Errorf("%s has the checksum %s instead of %s: something between here and its origin changed it", module, found.Sum, kindSum)
	}
	return filepath.Clean(found.Dir), nil
}
