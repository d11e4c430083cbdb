package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// File is one entry of a layer. It has its content from Source or Content, or is a symbolic link to Link, or a folder if
// Mode has fs.ModeDir. Everything belongs to root, and the folders above a file need no entry of their own.
type File struct {
	// Path is where it is in the image, absolute.
	Path string
	// Source is a file of this machine.
	Source string
	// Content is the content itself.
	Content []byte
	// Link is what a symbolic link points to.
	Link string
	// Mode holds the permissions; 0 means 0755.
	Mode fs.FileMode
}

// Layer is a set of files. Several images can have the same one, and an archive holds it once. Content is read from disk
// each time it is needed and never held in memory: binaries of Kubernetes are large.
type Layer struct {
	files  []File
	digest string
	size   int64
}

// NewLayer makes a layer. It reads all sources once, to know the layer's digest.
func NewLayer(files ...File) (*Layer, error) {
	all, err := withFolders(files)
	if err != nil {
		return nil, fmt.Errorf("image layer: %w", err)
	}
	l := &Layer{files: all}
	l.digest, l.size, err = l.write(io.Discard)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Digest is the layer's digest, sha256:… of its tar archive.
func (l *Layer) Digest() string { return l.digest }

// Size is the length of the layer's tar archive.
func (l *Layer) Size() int64 { return l.size }

// write writes the tar archive and returns its digest and length.
func (l *Layer) write(w io.Writer) (digest string, size int64, err error) {
	hash := sha256.New()
	counter := &countingWriter{w: io.MultiWriter(w, hash)}
	archive := tar.NewWriter(counter)
	for _, f := range l.files {
		if err := f.write(archive); err != nil {
			return "", 0, fmt.Errorf("image layer: %s: %w", f.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return "", 0, fmt.Errorf("image layer: %w", err)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), counter.n, nil
}

func (f File) write(w *tar.Writer) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     strings.TrimPrefix(f.Path, "/"),
		Mode:     unixMode(f.Mode),
		ModTime:  time.Unix(0, 0), // the same files make the same layer
		Size:     int64(len(f.Content)),
	}
	var content io.Reader = bytes.NewReader(f.Content)
	switch {
	case f.Mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	case f.Link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.Link, 0o777
	case f.Source != "":
		file, err := os.Open(f.Source)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was only read
		info, err := file.Stat()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", f.Source)
		}
		content, header.Size = file, info.Size()
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}

// unixMode returns the bits of a mode as tar has them.
func unixMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// withFolders returns the files and the folders above them, in order.
func withFolders(files []File) ([]File, error) {
	byPath := map[string]File{}
	var problems []error
	for _, f := range files {
		if err := f.check(); err != nil {
			problems = append(problems, err)
		}
		if _, twice := byPath[f.Path]; twice {
			problems = append(problems, fmt.Errorf("%s: it is there twice", f.Path))
		}
		if f.Mode.Perm() == 0 {
			f.Mode |= 0o755
		}
		byPath[f.Path] = f
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			above, known := byPath[dir]
			if known && !above.Mode.IsDir() {
				problems = append(problems, fmt.Errorf("%s: %s, above it, is no folder", f.Path, dir))
			}
			if !known {
				byPath[dir] = File{Path: dir, Mode: fs.ModeDir | 0o755}
			}
		}
	}
	all := make([]File, 0, len(byPath))
	for _, f := range byPath {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return all, errors.Join(problems...)
}

func (f File) check() error {
	if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" {
		return fmt.Errorf("%q: the path must be absolute, without . or .. and no slash at its end", f.Path)
	}
	given := 0
	for _, is := range []bool{f.Source != "", f.Content != nil, f.Link != "", f.Mode.IsDir()} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("%s: it needs exactly one of a source, a content, a link and a folder's mode", f.Path)
	}
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
