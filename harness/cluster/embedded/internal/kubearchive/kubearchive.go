// Package kubearchive carries the sources of the kube binary (cmd/kube) as one text file, so that the program can build
// it wherever it runs: a module of its own cannot be embedded by another.
package kubearchive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

const header = "Code generated from cmd/kube by go generate. DO NOT EDIT.\n"

// Pack returns the archive of a module's go.mod, go.sum and Go files without tests.
func Pack(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", dir, err)
	}
	archive := &txtar.Archive{Comment: []byte(header)}
	for _, e := range entries {
		name := e.Name()
		isGo := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
		if !isGo && name != "go.mod" && name != "go.sum" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", dir, err)
		}
		if txtar.NeedsQuote(content) || !bytes.HasSuffix(content, []byte("\n")) {
			return nil, fmt.Errorf("pack %s: %s cannot be stored: it lacks a newline at its end or has a line like -- x --", dir, name)
		}
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: content})
	}
	return txtar.Format(archive), nil
}

// Unpack writes the archive's files into dir, which exists.
func Unpack(archive []byte, dir string) error {
	if err := txtar.Write(txtar.Parse(archive), dir); err != nil {
		return fmt.Errorf("unpack the sources of kube: %w", err)
	}
	return nil
}

// Hash names the archive's content.
func Hash(archive []byte) string {
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:6])
}

var kubernetesLine = regexp.MustCompile(`(?m)^\s*(?:require )?k8s\.io/kubernetes (v\d+\.\d+\.\d+\S*)`)

// Version returns the Kubernetes version that the archive's go.mod requires, for example v1.36.3.
func Version(archive []byte) (string, error) {
	for _, f := range txtar.Parse(archive).Files {
		if f.Name != "go.mod" {
			continue
		}
		if m := kubernetesLine.FindSubmatch(f.Data); m != nil {
			return string(m[1]), nil
		}
	}
	return "", errors.New("the sources of kube name no version of k8s.io/kubernetes in a go.mod")
}
