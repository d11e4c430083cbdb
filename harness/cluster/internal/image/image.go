// Package image makes container images of static binaries, with neither a container engine nor a registry: an archive as
// `docker save` writes it, which `docker load` and `ctr images import` (what kind runs in a node) read.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Image is a container image for Linux.
type Image struct {
	// Tags are the names it goes by, each in full: registry.k8s.io/pause:3.10.
	Tags []string
	// Arch is the processor as Go names it: amd64.
	Arch string
	// Layers lie on one another, the first one lowest.
	Layers []*Layer
	// Entrypoint is what a container runs, and Cmd its arguments if none are given.
	Entrypoint []string
	Cmd        []string
	// Env holds NAME=value. A program that is called by its name alone needs a PATH.
	Env []string
	// User is who it runs as: a number, as no image made here has an /etc/passwd.
	User string
}

// ID is the digest of the image's configuration, sha256:…, by which a kubelet knows it too. It changes whenever anything in
// the image does.
func (i Image) ID() (string, error) {
	config, err := i.config()
	if err != nil {
		return "", err
	}
	return digest(config), nil
}

// config returns the image's configuration as the OCI image specification has it.
func (i Image) config() ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	spec := configFile{
		Created:      "1970-01-01T00:00:00Z", // the same input makes the same image
		Architecture: i.Arch,
		OS:           "linux",
		Config:       runConfig{User: i.User, Env: i.Env, Entrypoint: i.Entrypoint, Cmd: i.Cmd},
		RootFS:       rootFS{Type: "layers"},
	}
	for _, l := range i.Layers {
		spec.RootFS.DiffIDs = append(spec.RootFS.DiffIDs, l.digest)
		spec.History = append(spec.History, history{Created: spec.Created, CreatedBy: "rehearse"})
	}
	config, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", i.name(), err)
	}
	return config, nil
}

func (i Image) name() string {
	if len(i.Tags) == 0 {
		return "without a tag"
	}
	return i.Tags[0]
}

// reference is a name in full and a tag; engines would complete a shorter name by a registry of their choice.
var reference = regexp.MustCompile(`^([a-z0-9-]+\.[a-z0-9.-]+|localhost)(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:\w[\w.-]{0,127}$`)

func (i Image) check() error {
	var problems []error
	if len(i.Tags) == 0 {
		problems = append(problems, errors.New("it has no tag"))
	}
	for _, tag := range i.Tags {
		if !reference.MatchString(tag) {
			problems = append(problems, fmt.Errorf("tag %q: want a registry, a name and a tag, as in registry.k8s.io/pause:3.10", tag))
		}
	}
	if i.Arch == "" {
		problems = append(problems, errors.New("it has no architecture"))
	}
	if len(i.Layers) == 0 {
		problems = append(problems, errors.New("it has no layer"))
	}
	for _, env := range i.Env {
		if name, _, ok := strings.Cut(env, "="); !ok || name == "" {
			problems = append(problems, fmt.Errorf("environment %q: want NAME=value", env))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("image %s: %w", i.name(), err)
	}
	return nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

type configFile struct {
	Created      string    `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       runConfig `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []history `json:"history"`
}

type runConfig struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}
