package embedded

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"rehearse.dev/rehearse/harness/cluster/embedded/internal/kubearchive"
	"rehearse.dev/rehearse/harness/cluster/internal/filelock"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

//go:generate go run ./internal/kubearchive/gen ../../../cmd/kube kube.txtar

// kubeSources are the sources of the kube binary.
//
//go:embed kube.txtar
var kubeSources []byte

const (
	// EnvKubeBinary names a kube binary to use instead of building one.
	EnvKubeBinary = "REHEARSE_KUBE_BIN"
	// EnvCacheDir overrides where the kube binary is kept once it is built.
	EnvCacheDir = "REHEARSE_CACHE_DIR"
)

// EnsureKube returns the path of the kube binary: what REHEARSE_KUBE_BIN names or, without it, the one in the cache,
// which is built first if it is not there. That takes minutes; progress receives a line every few seconds.
func EnsureKube(ctx context.Context, progress func(string)) (path string, err error) {
	return ensureKube(ctx, "", progress)
}

func ensureKube(ctx context.Context, stateRoot string, progress func(string)) (string, error) {
	if path := os.Getenv(EnvKubeBinary); path != "" {
		return checkBinary(path, EnvKubeBinary)
	}
	cache, err := cacheRoot()
	if err != nil {
		return "", err
	}
	j, err := journal.Open(stateRoot)
	if err != nil {
		return "", err
	}
	if progress == nil {
		progress = func(string) {}
	}
	b := builder{sources: kubeSources, cache: cache, journal: j, goCommand: "go", progress: progress}
	return b.ensure(ctx)
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

func cacheRoot() (string, error) {
	if root := os.Getenv(EnvCacheDir); root != "" {
		return filepath.Abs(root)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the kube binary: %w (set %s)", err, EnvCacheDir)
	}
	return filepath.Join(cache, "rehearse"), nil
}

// builder builds the kube binary into a cache.
type builder struct {
	sources   []byte
	cache     string
	journal   *journal.Journal
	goCommand string
	progress  func(string)
}

// ensure returns the cached binary, after building it if need be. One process of this machine builds at a time.
func (b *builder) ensure(ctx context.Context) (string, error) {
	version, err := kubearchive.Version(b.sources)
	if err != nil {
		return "", err
	}
	key := fmt.Sprintf("%s-%s-%s-%s", version, kubearchive.Hash(b.sources), runtime.GOOS, runtime.GOARCH)
	dir := filepath.Join(b.cache, "kube", key)
	path := filepath.Join(dir, "kube")
	if found, err := b.cached(path); found || err != nil {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("build kube: %w (set %s to a folder that can be written)", err, EnvCacheDir)
	}
	unlock, err := filelock.Lock(ctx, dir+".lock", func() {
		b.progress("kube: another process is building the control plane; waiting for it")
	})
	if err != nil {
		return "", fmt.Errorf("build kube: %w", err)
	}
	defer unlock()
	if found, err := b.cached(path); found || err != nil {
		return path, err
	}
	if err := b.inTempDir(func(tmp string) error { return b.build(ctx, tmp, version, path) }); err != nil {
		return "", explainBuild(err)
	}
	return path, nil
}

func (b *builder) cached(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// inTempDir calls do with a journaled folder beside the cache's entries, so that what is built there can be renamed.
func (b *builder) inTempDir(do func(dir string) error) (err error) {
	id := journal.DirPrefix + "build-" + randomHex(6)
	tmp := filepath.Join(b.cache, "kube", id)
	entry, err := b.journal.Begin(journal.KindDir, id, map[string]string{journal.DataPath: tmp})
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(tmp); removeErr != nil {
			err = errors.Join(err, removeErr)
			return
		}
		err = errors.Join(err, entry.Done())
	}()
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	return do(tmp)
}
