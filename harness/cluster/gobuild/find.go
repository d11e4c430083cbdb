package gobuild

import "path/filepath"

// Find returns where the program's binaries are, or will be, in the cache, and whether they are there.
func (b *Builder) Find(p Program) (dir string, found bool, err error) {
	dir = filepath.Join(b.cache, p.Name, p.key())
	found, err = exists(dir)
	return dir, found, err
}
