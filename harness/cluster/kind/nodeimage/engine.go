package nodeimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Reasons why an image cannot be built here.
var (
	// ErrNoEngine means that no container engine answers.
	ErrNoEngine = errors.New("no container engine answers")
	// ErrNoBase means that what is to be built upon is not there.
	ErrNoBase = errors.New("no such base")
)

// engine is the command line of a container engine. It is used instead of an API because that is what kind uses: it finds
// the engine wherever the user's command does.
type engine struct{ command string }

func (e engine) run(ctx context.Context, args ...string) (string, error) {
	return e.feed(ctx, nil, args...)
}

// feed runs the command with an input.
func (e engine) feed(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	output, err := command{name: e.command, args: args, stdin: stdin}.run(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: %w (install Docker; on Debian: apt-get install docker.io)", ErrNoEngine, err)
	}
	if says(err, "cannot connect to the docker daemon") || says(err, "is the docker daemon running") {
		return "", fmt.Errorf("%w: %w (start Docker, or set DOCKER_HOST to one that runs)", ErrNoEngine, err)
	}
	return output, err
}

// arch is the architecture that the engine runs, as Go calls it.
func (e engine) arch(ctx context.Context) (string, error) {
	if filepath.Base(e.command) == "podman" { // it has a server only where it is far away
		return e.run(ctx, "info", "--format", "{{.Host.Arch}}")
	}
	return e.run(ctx, "version", "--format", "{{.Server.Arch}}")
}

// label returns the value of an image's label; it is empty where there is no such image.
func (e engine) label(ctx context.Context, image, label string) (string, error) {
	text, err := e.run(ctx, "image", "inspect", "--format", "{{json .Config.Labels}}", image)
	if missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(text), &labels); err != nil {
		return "", fmt.Errorf("labels of the image %s: %w", image, err)
	}
	return labels[label], nil
}

// imageID names an image's content; it is empty where there is no such image.
func (e engine) imageID(ctx context.Context, image string) (string, error) {
	id, err := e.run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	if missing(err) {
		return "", nil
	}
	return id, err
}

// missing tells whether an error means that an image or a container does not exist.
func missing(err error) bool {
	for _, text := range []string{"no such image", "no such container", "no such object", "not found", "image not known", "no container with name"} {
		if says(err, text) {
			return true
		}
	}
	return false
}

// base is what an image is laid upon: a file or an image, of which one is set.
type base struct {
	file, image string
	// key names the content.
	key string
}

// findBase looks what --base names: a file if there is one, else an image that the engine holds. None is pulled.
func (e engine) findBase(ctx context.Context, name string) (base, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.Mode().IsRegular():
		path, err := filepath.Abs(name)
		if err != nil {
			return base{}, err
		}
		key, err := hashFile(path)
		return base{file: path, key: key}, err
	case err == nil:
		return base{}, fmt.Errorf("%w: %s is no file (pack a root file system as a tar archive, or name an image)", ErrNoBase, name)
	case !errors.Is(err, fs.ErrNotExist):
		return base{}, fmt.Errorf("%w: %w", ErrNoBase, err)
	}
	id, err := e.imageID(ctx, name)
	if err == nil && id == "" {
		err = fmt.Errorf("%w: %s is neither a file nor an image of this engine (%s images lists those)", ErrNoBase, name, filepath.Base(e.command))
	}
	return base{image: id, key: id}, err
}
