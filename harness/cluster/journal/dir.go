package journal

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// InTempDir calls do with a new folder in parent, which is noted before it is made, and gone in the end. Its name says what
// it is for.
func (j *Journal) InTempDir(parent, what string, do func(dir string) error) (err error) {
	id := DirPrefix + what + "-" + strings.ToLower(rand.Text()[:12])
	if parent, err = filepath.Abs(parent); err != nil {
		return err
	}
	dir := filepath.Join(parent, id)
	entry, err := j.Begin(KindDir, id, map[string]string{DataPath: dir})
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); removeErr != nil {
			err = errors.Join(err, removeErr)
			return
		}
		err = errors.Join(err, entry.Done())
	}()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return do(dir)
}
