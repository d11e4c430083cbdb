package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Kinds of things that are removed alike whoever made them.
const (
	// KindProcess is a process, which DataProcess names as Process.Text has it. A record without it is of a process that
	// had not been started yet.
	KindProcess = "process"
	// KindDir is the folder DataPath, whose name must begin with DirPrefix.
	KindDir = "dir"
	// KindCluster is a cluster of the provider that DataProvider names.
	KindCluster = "cluster"
	// DataProvider is the key of a cluster's provider.
	DataProvider = "provider"
)

// Keys of the data of those kinds.
const (
	DataProcess = "process"
	DataPath    = "path"
)

// DirPrefix begins the names of all folders that are ever removed because of a record, so that a damaged record can do no
// harm.
const DirPrefix = "rehearse-"

// UndoProcess ends processes.
func UndoProcess() Undo {
	return Undo{Kind: KindProcess, Remove: func(ctx context.Context, r Record) error {
		text, started := r.Data[DataProcess]
		if !started {
			return nil
		}
		p, err := ParseProcess(text, r.Owner)
		if err != nil {
			return err
		}
		return p.End(ctx)
	}}
}

// UndoDir removes folders.
func UndoDir() Undo {
	return Undo{Kind: KindDir, Remove: func(_ context.Context, r Record) error { return RemoveDir(r.Data[DataPath]) }}
}

// RemoveDir removes a folder of the harness's, and no other.
func RemoveDir(path string) error {
	if !filepath.IsAbs(path) || !strings.HasPrefix(filepath.Base(path), DirPrefix) {
		return fmt.Errorf("%q is no folder that the harness makes; it is left alone", path)
	}
	return os.RemoveAll(path)
}
