package scenario

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxBytes is the largest file that is read.
const maxBytes = 1 << 20

// find lists the files that the paths mean, each once and sorted.
func find(paths []string) (files []string, wrong Mistakes) {
	for _, path := range paths {
		found, err := expand(path)
		if err != nil {
			wrong = append(wrong, Mistake{File: path, Message: err.Error()})
		}
		for _, file := range found {
			files = append(files, filepath.Clean(file))
		}
	}
	slices.Sort(files)
	return slices.Compact(files), wrong
}

func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return below(path)
	case err == nil:
		return []string{path}, nil
	case !strings.ContainsAny(path, "*?["):
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	matches, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("is not a valid pattern: %w", err)
	}
	if len(matches) == 0 {
		return nil, errors.New("matches no file")
	}
	var files []string
	var problems []error
	for _, match := range matches {
		// A match may hold pattern characters itself; it exists, so it is not expanded again.
		found, err := expand(match)
		files = append(files, found...)
		problems = append(problems, err)
	}
	return files, errors.Join(problems...)
}

// below lists the scenario files of a folder.
func below(folder string) ([]string, error) {
	var files []string
	passedOver := map[string]bool{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch kind := notOurs(path, entry); {
		case kind != "" && path != folder:
			passedOver[kind] = true
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && filepath.Ext(path) == ".yaml":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return files, fmt.Errorf("cannot be searched: %w", err)
	}
	if len(files) == 0 && len(passedOver) > 0 {
		return nil, fmt.Errorf("holds no *.yaml file; %s are not looked into", strings.Join(slices.Sorted(maps.Keys(passedOver)), " and "))
	}
	if len(files) == 0 {
		return nil, errors.New("holds no *.yaml file")
	}
	return files, nil
}

// notOurs says what is passed over in a folder; empty if it is not.
func notOurs(path string, entry fs.DirEntry) string {
	switch {
	case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "_")):
		return "folders whose names begin with _ or ."
	case entry.IsDir() && isChart(path):
		return "charts"
	case !entry.IsDir() && filepath.Ext(path) == ".yaml" && isKindConfig(path):
		return "kind configurations"
	}
	return ""
}

func isChart(folder string) bool {
	info, err := os.Stat(filepath.Join(folder, "Chart.yaml"))
	return err == nil && info.Mode().IsRegular()
}

var kindVersion = regexp.MustCompile(`(?m)^apiVersion:\s*["']?kind\.x-k8s\.io/`)

// isKindConfig tells kind configurations, which scenarios name and so lie beside them.
func isKindConfig(path string) bool {
	data, err := read(path)
	return err == nil && kindVersion.Match(data)
}

// read reads a file of bounded size.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	case len(data) > maxBytes:
		return nil, fmt.Errorf("is larger than %d bytes; a scenario is not", maxBytes)
	}
	return data, nil
}

// cause strips the path from an error of package os, since messages begin with it.
func cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
