package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The files of a bundle.
const (
	VariantFile   = "variant.json"
	TimelineFile  = "timeline.jsonl"
	ObjectsFile   = "objects.jsonl"
	RequestsFile  = "requests.jsonl"
	SnapshotsFile = "snapshots.jsonl"
)

// What stands beside a bundle: the plan that it is evidence of, what became of it and, in the folder above, of what run it is.
const (
	PlanFile    = "plan.json"
	VerdictFile = "verdict.json"
	RunFile     = "run.json"
)

// Recorder writes a bundle while it comes to be: each line is one write(2), so a killed run leaves all that it had
// recorded. It is safe for concurrent use.
type Recorder struct {
	dir    string
	clock  func() time.Duration
	redact *Redactor

	mu        sync.Mutex
	seq       int64
	step      string
	err       error
	closed    bool
	files     []string // written by WriteFile
	timeline  *os.File
	objects   *os.File
	requests  *os.File
	snapshots *os.File
}

// Option changes how a Recorder works.
type Option func(*Recorder)

// WithRedactor shares a Redactor among the variants of a run, so that hashes are comparable between them.
func WithRedactor(r *Redactor) Option { return func(rec *Recorder) { rec.redact = r } }

// WithClock replaces the clock: it returns the monotonic time since the variant started.
func WithClock(now func() time.Duration) Option { return func(rec *Recorder) { rec.clock = now } }

// Create makes dir, opens the files of a bundle in it and writes variant.json last, so that a folder which has one is a
// whole bundle. It refuses a folder that already holds evidence.
func Create(dir string, v Variant, opts ...Option) (*Recorder, error) {
	start := time.Now()
	r := &Recorder{dir: dir, clock: func() time.Duration { return time.Since(start) }}
	for _, opt := range opts {
		opt(r)
	}
	if r.redact == nil {
		red, err := NewRedactor()
		if err != nil {
			return nil, err
		}
		r.redact = red
	}
	seed := strconv.FormatInt(v.Seed, 10) // as a hash it could not be read back
	for _, name := range slices.Concat(v.Steps, []string{v.Scenario, v.Release, v.Namespace, seed}) {
		r.redact.name(name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create bundle: %w", WithRemedy(err))
	}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, r.closeFiles())
	}
	if err := r.WriteFile(VariantFile, v); err != nil {
		return nil, errors.Join(err, r.closeFiles())
	}
	return r, nil
}

func (r *Recorder) open() error {
	for name, file := range map[string]**os.File{
		TimelineFile: &r.timeline, ObjectsFile: &r.objects, RequestsFile: &r.requests, SnapshotsFile: &r.snapshots,
	} {
		f, err := os.OpenFile(filepath.Join(r.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("create bundle: %w", WithRemedy(err))
		}
		*file = f
	}
	return nil
}

// Now is the time on the bundle's clock.
func (r *Recorder) Now() time.Duration { return r.clock() }

// SetStep names the step under way; events recorded from now on carry it. Empty means that none is.
func (r *Recorder) SetStep(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.step = name
}

// Record fills in Seq, At and Step, redacts the payload and appends e to the timeline. It returns Seq, or 0 once the
// recorder is closed. A write error is kept for Err.
func (r *Recorder) Record(e Event) int64 {
	e = r.redact.event(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0
	}
	return r.append(e)
}

// Object records one version of an object: an event, and the whole object in objects.jsonl. It does not modify obj.
func (r *Recorder) Object(v ObjectVersion, obj map[string]any) int64 {
	raw, encodeErr := json.Marshal(r.redact.Object(obj))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0
	}
	if encodeErr != nil {
		r.fail(fmt.Errorf("encode %s: %w", v.Ref, encodeErr))
		raw = []byte("null")
	}
	// The object goes first: an object without an event says nothing, an event without its object is a hole.
	r.writeLine(r.objects, fmt.Appendf(nil, `{"seq":%d,"object":%s}`, r.seq+1, raw))
	return r.append(Event{Object: &v})
}

// Snapshot appends a snapshot. Its At is filled in if it is 0. It does not modify the objects.
func (r *Recorder) Snapshot(s Snapshot) error {
	if s.At == 0 {
		s.At = r.clock()
	}
	line, err := json.Marshal(r.redact.snapshot(s))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("record snapshot of step %q: %w", s.Step, os.ErrClosed)
	}
	if err != nil {
		r.fail(fmt.Errorf("encode snapshot of step %q: %w", s.Step, err))
		return r.err
	}
	r.writeLine(r.snapshots, line)
	return r.err
}

// WriteFile is the function WriteFile into the bundle's folder, redacted with all that is known by now; Close redacts
// the file again, with all that is known by then.
func (r *Recorder) WriteFile(name string, v any) error {
	r.mu.Lock()
	r.files = append(r.files, name)
	r.mu.Unlock()
	return r.writeFile(name, v)
}

func (r *Recorder) writeFile(name string, v any) error {
	clean, err := r.redact.JSON(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return WriteFile(r.dir, name, clean)
}

// redactFiles hides in the files of WriteFile what was learned after they had been written.
func (r *Recorder) redactFiles() error {
	var errs []error
	for _, name := range r.files {
		data, err := os.ReadFile(filepath.Join(r.dir, name))
		if err == nil {
			err = r.writeFile(name, json.RawMessage(data))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Err is the first error that kept evidence from being written; nothing is written after it.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close ends the recording, redacts the files of WriteFile once more and returns Err. It may be called again.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.err
	}
	r.closed = true
	if err := errors.Join(r.closeFiles(), r.redactFiles()); err != nil {
		r.fail(err)
	}
	return r.err
}

func (r *Recorder) closeFiles() error {
	var errs []error
	for _, f := range []*os.File{r.timeline, r.objects, r.requests, r.snapshots} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (r *Recorder) append(e Event) int64 { return r.appendIn(r.step, e) }

func (r *Recorder) appendIn(step string, e Event) int64 {
	r.seq++
	e.Seq, e.At, e.Step = r.seq, r.clock(), step
	line, err := json.Marshal(e)
	if err != nil {
		r.fail(fmt.Errorf("encode event %d: %w", e.Seq, err))
		return e.Seq
	}
	r.writeLine(r.timeline, line)
	return e.Seq
}

// writeLine writes nothing after an error: what follows a cut-off line could not be read.
func (r *Recorder) writeLine(f *os.File, line []byte) {
	if r.err != nil {
		return
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		r.fail(WithRemedy(err))
	}
}

func (r *Recorder) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("evidence in %s is incomplete: %w", r.dir, err)
	}
}

// WithRemedy adds the remedy to the error of a file system that is full; any other is as it was.
func WithRemedy(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w (make room there, or have evidence and reports written elsewhere with --reports)", err)
	}
	return err
}
