package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// What a bundle may lack.
var (
	// ErrNoObject says that objects.jsonl has no object of the event asked for.
	ErrNoObject = errors.New("no such object version in the bundle")
	// ErrNoBody says that requests.jsonl has no body of the event asked for.
	ErrNoBody = errors.New("no such request's body in the bundle")
)

// Bundle is the evidence of one variant, read back. It is safe for concurrent use as long as nobody changes its fields.
type Bundle struct {
	// Dir is the folder it was read from.
	Dir string
	// Variant says what the bundle is evidence of.
	Variant Variant
	// Timeline holds the events in the order of their Seq.
	Timeline []Event
	// Snapshots holds the snapshots in the order of the steps.
	Snapshots []Snapshot
	// Truncated names files whose last line is cut off, as a killed run leaves them.
	Truncated []string

	indexOnce sync.Once
	index     map[int64]span
	indexErr  error

	requestsOnce sync.Once
	requests     map[int64]span
	requestsErr  error
}

type span struct {
	offset int64
	length int
}

// Load reads the bundle in dir. A cut-off last line is left out and noted in Truncated; anything else that is
// malformed is an error that names file and line. objects.jsonl is read when Object is first called, requests.jsonl when
// Body is.
func Load(dir string) (*Bundle, error) {
	b := &Bundle{Dir: dir}
	data, err := os.ReadFile(filepath.Join(dir, VariantFile))
	if err != nil {
		return nil, fmt.Errorf("%s holds no bundle: %w", dir, err)
	}
	if err := json.Unmarshal(data, &b.Variant); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, VariantFile), err)
	}
	if b.Timeline, err = readTimeline(b); err != nil {
		return nil, err
	}
	err = b.eachLine(SnapshotsFile, func(_ int64, line []byte) error {
		var s Snapshot
		if err := kjson.Unmarshal(line, &s); err != nil {
			return err
		}
		b.Snapshots = append(b.Snapshots, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func readTimeline(b *Bundle) ([]Event, error) {
	var events []Event
	err := b.eachLine(TimelineFile, func(_ int64, line []byte) error {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if want := int64(len(events)) + 1; e.Seq != want {
			return fmt.Errorf("event has seq %d instead of %d", e.Seq, want)
		}
		events = append(events, e)
		return nil
	})
	return events, err
}

// Snapshot is the state at the end of a step.
func (b *Bundle) Snapshot(step string) (Snapshot, bool) {
	for i := len(b.Snapshots) - 1; i >= 0; i-- {
		if b.Snapshots[i].Step == step {
			return b.Snapshots[i], true
		}
	}
	return Snapshot{}, false
}

// Object is the object of the event seq, which must have an ObjectVersion. The error is ErrNoObject if there is none.
func (b *Bundle) Object(seq int64) (map[string]any, error) {
	b.indexOnce.Do(func() { b.index, b.indexErr = b.indexOf(ObjectsFile, "object") })
	if b.indexErr != nil {
		return nil, b.indexErr
	}
	at, ok := b.index[seq]
	if !ok {
		return nil, fmt.Errorf("%w: seq %d", ErrNoObject, seq)
	}
	var line struct {
		Object map[string]any `json:"object"`
	}
	if err := b.readLine(ObjectsFile, at, &line); err != nil {
		return nil, fmt.Errorf("read object %d: %w", seq, err)
	}
	return line.Object, nil
}

// readLine decodes a part of a file.
func (b *Bundle) readLine(name string, at span, into any) error {
	f, err := os.Open(filepath.Join(b.Dir, name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	raw := make([]byte, at.length)
	if _, err := f.ReadAt(raw, at.offset); err != nil {
		return err
	}
	if err := kjson.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return nil
}

// indexOf says where in a file of lines {"seq":…,"payload":…} each of them is.
func (b *Bundle) indexOf(name, payload string) (map[int64]span, error) {
	index := map[int64]span{}
	reader := &Bundle{Dir: b.Dir} // what is cut off here has no event either
	err := reader.eachLine(name, func(offset int64, line []byte) error {
		seq, err := seqOf(line, payload)
		if err != nil {
			return err
		}
		index[seq] = span{offset, len(line)}
		return nil
	})
	return index, err
}

// seqOf reads the start of such a line, which the Recorder always writes first.
func seqOf(line []byte, payload string) (int64, error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	end := bytes.IndexByte(rest, ',')
	if !ok || end < 0 || line[len(line)-1] != '}' {
		return 0, fmt.Errorf(`line is not {"seq":…,%q:…}`, payload)
	}
	return strconv.ParseInt(string(rest[:end]), 10, 64)
}

// eachLine calls f with each line of a file and the line's offset. If f refuses a last line that has no newline, the
// line was cut off.
func (b *Bundle) eachLine(name string, f func(offset int64, line []byte) error) error {
	path := filepath.Join(b.Dir, name)
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the bundle is not whole: %w", err)
	}
	defer func() { _ = file.Close() }()
	reader := bufio.NewReaderSize(file, 64<<10)
	var offset int64
	for n := 1; ; n++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if len(line) == 0 {
			return nil
		}
		whole := line[len(line)-1] == '\n'
		if ferr := f(offset, bytes.TrimSuffix(line, []byte("\n"))); ferr != nil {
			if !whole {
				b.Truncated = append(b.Truncated, name)
				return nil
			}
			return fmt.Errorf("%s:%d: %w", path, n, ferr)
		}
		offset += int64(len(line))
	}
}
