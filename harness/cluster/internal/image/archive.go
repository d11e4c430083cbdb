package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrSourceChanged means that a file was changed after its layer was made. Make the layer anew.
var ErrSourceChanged = errors.New("a file of the layer has changed since the layer was made")

// Write writes an archive that holds the images. The same images make the same bytes. A layer is stored once, however
// many images have it.
func Write(w io.Writer, images []Image) error {
	b := &builder{seen: map[string]bool{}}
	manifest, err := b.add(images)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	if err := writeEntry(archive, "manifest.json", int64(len(manifest)), bytes.NewReader(manifest)); err != nil {
		return err
	}
	for _, config := range b.configs {
		if err := writeEntry(archive, configPath(config), int64(len(config)), bytes.NewReader(config)); err != nil {
			return err
		}
	}
	for _, l := range b.layers {
		if err := writeLayer(archive, l); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	return nil
}

// Save writes an archive to a file, which is there in full or not at all.
func Save(path string, images []Image) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".image-*")
	if err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			err = errors.Join(err, removeIfThere(file.Name()))
		}
	}()
	if err := Write(file, images); err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o644), file.Sync()); err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// builder collects what an archive holds, each thing once.
type builder struct {
	configs [][]byte
	layers  []*Layer
	seen    map[string]bool
}

// manifestEntry is what manifest.json says of one image.
type manifestEntry struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// add collects the images and returns manifest.json.
func (b *builder) add(images []Image) ([]byte, error) {
	var entries []manifestEntry
	var problems []error
	tags := map[string]bool{}
	for _, i := range images {
		for _, tag := range i.Tags {
			if tags[tag] {
				problems = append(problems, fmt.Errorf("image %s: tag %s is given twice", i.name(), tag))
			}
			tags[tag] = true
		}
		config, err := i.config()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		entry := manifestEntry{Config: configPath(config), RepoTags: i.Tags}
		if b.first(entry.Config) {
			b.configs = append(b.configs, config)
		}
		for _, l := range i.Layers {
			entry.Layers = append(entry.Layers, layerPath(l))
			if b.first(layerPath(l)) {
				b.layers = append(b.layers, l)
			}
		}
		entries = append(entries, entry)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return json.Marshal(entries)
}

// first tells whether an entry was not there before.
func (b *builder) first(name string) bool {
	was := b.seen[name]
	b.seen[name] = true
	return !was
}

func configPath(config []byte) string { return hexOf(digest(config)) + ".json" }

func layerPath(l *Layer) string { return hexOf(l.digest) + "/layer.tar" }

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// writeLayer writes a layer from its sources, which are read again.
func writeLayer(archive *tar.Writer, l *Layer) error {
	if err := writeHeader(archive, layerPath(l), l.size); err != nil {
		return err
	}
	written, _, err := l.write(archive)
	switch {
	case errors.Is(err, tar.ErrWriteTooLong), err == nil && written != l.digest:
		return fmt.Errorf("image archive: layer %s: %w", l.digest, ErrSourceChanged)
	case err != nil:
		return fmt.Errorf("image archive: %w", err)
	}
	return nil
}

func writeEntry(archive *tar.Writer, name string, size int64, content io.Reader) error {
	if err := writeHeader(archive, name, size); err != nil {
		return err
	}
	if _, err := io.Copy(archive, content); err != nil {
		return fmt.Errorf("image archive: %s: %w", name, err)
	}
	return nil
}

func writeHeader(archive *tar.Writer, name string, size int64) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("image archive: %s: %w", name, err)
	}
	return nil
}
