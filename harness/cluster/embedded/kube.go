package embedded

import (
	"context"
	"errors"
	"os"
)

// EnsureKube returns the path of the kube binary, which it builds if need be.
func EnsureKube(ctx context.Context, progress func(string)) (string, error) {
	if path := os.Getenv(EnvKubeBinary); path != "" {
		return checkBinary(path, EnvKubeBinary)
	}
	return "", errors.New("no kube binary")
}
