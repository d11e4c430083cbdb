// Package journal writes down what the harness is about to make, before it makes it, so that whatever a killed run
// leaves can be found and removed later.
//
// One JSON file stands for one thing. It appears whole or not at all, and names the process that answers for the
// thing. Records survive the death of that process; Collect undoes those whose owner is gone.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// EnvStateDir overrides where the journal is kept.
const EnvStateDir = "REHEARSE_STATE_DIR"

// ErrExists means that a thing of this kind and ID is in the journal already, living or left behind.
var ErrExists = errors.New("already in the journal")

// ErrNoSpace means that the file system of the journal is full. Its error has the remedy.
var ErrNoSpace = errors.New("no space left for the journal")

// unfinished starts the names of records that are being written; the writer's process number follows.
const unfinished = ".new-"

// idPattern keeps IDs safe as file names.
var idPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}$`)

// Record is what the journal knows of one thing.
type Record struct {
	// Kind says what it is and so how it is undone: process, dir, cluster, namespace, …
	Kind string `json:"kind"`
	// ID is unique within the kind.
	ID string `json:"id"`
	// Owner is the process that removes the thing in the normal course of events.
	Owner Process `json:"owner"`
	// Began is when the record was written.
	Began time.Time `json:"began"`
	// Data is what undoing needs.
	Data map[string]string `json:"data,omitempty"`
}

// Journal is a folder of records.
type Journal struct {
	dir  string
	self Process
}

// DefaultRoot is REHEARSE_STATE_DIR or, without it, a folder in the user's cache.
func DefaultRoot() (string, error) {
	if root := os.Getenv(EnvStateDir); root != "" {
		return root, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("journal: find a folder for state: %w (set %s)", err, EnvStateDir)
	}
	return filepath.Join(cache, "rehearse", "state"), nil
}

// Open opens the journal below root, which it makes if need be. An empty root stands for DefaultRoot.
func Open(root string) (*Journal, error) {
	if root == "" {
		var err error
		if root, err = DefaultRoot(); err != nil {
			return nil, err
		}
	}
	dir := filepath.Join(root, "journal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: open %s: %w (set %s to a folder that can be written)", dir, err, EnvStateDir)
	}
	self, err := Self()
	if err != nil {
		return nil, fmt.Errorf("journal: identify this process: %w", err)
	}
	return &Journal{dir: dir, self: self}, nil
}

// Begin records a thing that is about to be made, owned by this process.
func (j *Journal) Begin(kind, id string, data map[string]string) (*Entry, error) {
	for _, s := range []string{kind, id} {
		if !idPattern.MatchString(s) {
			return nil, fmt.Errorf("journal: begin %s %q: %q cannot be part of a file name", kind, id, s)
		}
	}
	record := Record{Kind: kind, ID: id, Owner: j.self, Began: time.Now().UTC(), Data: maps.Clone(data)}
	e := &Entry{path: filepath.Join(j.dir, kind+"@"+id+".json"), record: record}
	// A link fails where a rename would overwrite: two owners of one name must not both succeed.
	err := e.write(os.Link)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("journal: begin %s %q: %w", kind, id, ErrExists)
	case err != nil:
		return nil, fmt.Errorf("journal: begin %s %q: %w", kind, id, err)
	}
	return e, nil
}

// List returns all records, oldest first. Files that are not records are reported as errors beside them.
func (j *Journal) List() ([]Record, error) {
	names, err := filepath.Glob(filepath.Join(j.dir, "*@*.json"))
	if err != nil {
		return nil, fmt.Errorf("journal: list %s: %w", j.dir, err)
	}
	var records []Record
	var errs []error
	for _, name := range names {
		r, err := read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // done in the meantime
		case err != nil:
			errs = append(errs, err)
		default:
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b Record) int { return a.Began.Compare(b.Began) })
	return records, errors.Join(errs...)
}

// Get returns the record of one thing. The error is fs.ErrNotExist when there is none.
func (j *Journal) Get(kind, id string) (Record, error) {
	return read(filepath.Join(j.dir, kind+"@"+id+".json"))
}

func read(path string) (Record, error) {
	var r Record
	content, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("journal: read: %w", err)
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("journal: %s is damaged: %w (look at it, undo it by hand, then delete it)", path, err)
	}
	if name := strings.TrimSuffix(filepath.Base(path), ".json"); name != r.Kind+"@"+r.ID {
		return r, fmt.Errorf("journal: %s is damaged: it speaks of %s %q (delete it once that is gone)", path, r.Kind, r.ID)
	}
	return r, nil
}

// Entry is a record of this process's own. Its methods must not be called at the same time.
type Entry struct {
	path   string
	record Record
}

// Update adds to the record's data.
func (e *Entry) Update(data map[string]string) error {
	if e.record.Data == nil {
		e.record.Data = map[string]string{}
	}
	maps.Copy(e.record.Data, data)
	if err := e.write(os.Rename); err != nil {
		return fmt.Errorf("journal: update %s %q: %w", e.record.Kind, e.record.ID, err)
	}
	return nil
}

// Done forgets the thing, which must be gone by now. It may be called again.
func (e *Entry) Done() error {
	if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: close %s %q: %w", e.record.Kind, e.record.ID, err)
	}
	return nil
}

// write puts the record in its place. If it cannot because the file system is full, the error says what to do.
func (e *Entry) write(place func(from, to string) error) error {
	err := e.put(place)
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w (make room there, or set %s to a folder elsewhere)", ErrNoSpace, err, EnvStateDir)
	}
	return err
}

// put writes the record beside its place and moves it there, so that no reader ever sees half of it.
func (e *Entry) put(place func(from, to string) error) (err error) {
	content, err := json.Marshal(e.record)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(e.path), fmt.Sprintf("%s%d-*", unfinished, os.Getpid()))
	if err != nil {
		return err
	}
	// A rename took it away already; after a link, or on failure, it is left over.
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(append(content, '\n'))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return place(tmp.Name(), e.path)
}
