package evidence_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
)

var variant = evidence.Variant{Scenario: "s", Release: "shop", Namespace: "ns", Steps: []string{"v1", "back"}}

func create(t *testing.T, opts ...evidence.Option) (*evidence.Recorder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	r, err := evidence.Create(dir, variant, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, dir
}

func object(kind, name string, more map[string]any) map[string]any {
	o := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}}
	for k, v := range more {
		o[k] = v
	}
	return o
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var now time.Duration
	r, dir := create(t, evidence.WithClock(func() time.Duration { now += time.Second; return now }))
	r.SetStep("v1")
	r.Record(evidence.Event{Started: &evidence.StepStarted{Operation: "install"}})
	obj := object("ConfigMap", "c", map[string]any{"big": int64(1) << 60, "half": 0.5})
	seq := r.Object(evidence.ObjectVersion{Ref: evidence.Ref{Version: "v1", Kind: "ConfigMap", Name: "c"}, Change: evidence.Added}, obj)
	snap := evidence.Snapshot{Step: "v1", Objects: []map[string]any{obj}, Ledger: evidence.Ledger{Release: "shop"}}
	if err := r.Snapshot(snap); err != nil {
		t.Fatal(err)
	}

	// What was recorded is readable before Close, as after a kill.
	b, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if seq != 2 || len(b.Timeline) != 2 || b.Timeline[1].Step != "v1" || b.Timeline[1].At != 2*time.Second {
		t.Errorf("timeline = %+v, seq %d", b.Timeline, seq)
	}
	got, err := b.Object(seq)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(obj, got); diff != "" {
		t.Error(diff)
	}
	s, ok := b.Snapshot("v1")
	if !ok || s.At != 3*time.Second || !cmp.Equal(s.Objects, snap.Objects) {
		t.Errorf("snapshot = %+v, %v", s, ok)
	}
	if _, ok := b.Snapshot("back"); ok {
		t.Error("found a snapshot of a step that has none")
	}
	if _, err := b.Object(1); !errors.Is(err, evidence.ErrNoObject) {
		t.Errorf("err = %v", err)
	}
	if len(b.Truncated) != 0 {
		t.Errorf("truncated = %v", b.Truncated)
	}
}

func TestRecordIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r, dir := create(t)
	shared := object("ConfigMap", "c", map[string]any{"data": map[string]any{"k": "hunter22"}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				r.SetStep(fmt.Sprint(i))
				r.Object(evidence.ObjectVersion{}, object("Secret", "x", map[string]any{"stringData": map[string]any{"k": fmt.Sprintf("value-%d-%d", i, j)}}))
				r.Object(evidence.ObjectVersion{}, shared)
				r.Record(evidence.Event{Gap: &evidence.Gap{Reason: "hunter22"}})
			}
		})
	}
	wg.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Timeline) != 8*50*3 {
		t.Fatalf("%d events", len(b.Timeline))
	}
	for _, e := range b.Timeline {
		if e.Object == nil {
			continue
		}
		if _, err := b.Object(e.Seq); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateRefusesAnotherBundle(t *testing.T) {
	t.Parallel()
	_, dir := create(t)
	if _, err := evidence.Create(dir, variant); !errors.Is(err, os.ErrExist) {
		t.Errorf("err = %v", err)
	}
}

func TestClosedRecorder(t *testing.T) {
	t.Parallel()
	r, dir := create(t)
	r.Record(evidence.Event{Phase: &evidence.Phase{Name: "cluster"}})
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if seq := r.Record(evidence.Event{}); seq != 0 {
		t.Errorf("seq = %d", seq)
	}
	if seq := r.Object(evidence.ObjectVersion{}, nil); seq != 0 {
		t.Errorf("seq = %d", seq)
	}
	if err := r.Snapshot(evidence.Snapshot{Step: "v1"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("err = %v", err)
	}
	if b, err := evidence.Load(dir); err != nil || len(b.Timeline) != 1 {
		t.Errorf("bundle = %+v, %v", b, err)
	}
}

func TestLoadOfDamagedBundles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// file and append are what is written behind the good lines.
		file, append string
		truncated    []string
		// wantErr is text of Load's error.
		wantErr string
	}{
		{name: "cut-off event", file: evidence.TimelineFile, append: `{"seq":3,"atNs":1`, truncated: []string{evidence.TimelineFile}},
		{name: "cut-off snapshot", file: evidence.SnapshotsFile, append: `{"step":"back","obj`, truncated: []string{evidence.SnapshotsFile}},
		{name: "whole last line without newline", file: evidence.TimelineFile, append: `{"seq":3,"atNs":1,"phase":{"name":"x","tookNs":1}}`},
		{name: "malformed event", file: evidence.TimelineFile, append: "{\"seq\":3,\n", wantErr: "timeline.jsonl:3: "},
		{name: "event out of order", file: evidence.TimelineFile, append: "{\"seq\":7,\"atNs\":1}\n", wantErr: "timeline.jsonl:3: event has seq 7 instead of 3"},
		{name: "malformed snapshot", file: evidence.SnapshotsFile, append: "null}\n", wantErr: "snapshots.jsonl:1: "},
		{name: "malformed variant", file: evidence.VariantFile, append: "x", wantErr: "variant.json: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := damaged(t, tc.file, tc.append)
			b, err := evidence.Load(dir)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("err = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.truncated, b.Truncated); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func damaged(t *testing.T, file, text string) string {
	t.Helper()
	r, dir := create(t)
	r.Record(evidence.Event{Phase: &evidence.Phase{Name: "cluster"}})
	r.Object(evidence.ObjectVersion{}, object("ConfigMap", "c", nil))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestObjectsOfDamagedBundles(t *testing.T) {
	t.Parallel()
	b, err := evidence.Load(damaged(t, evidence.ObjectsFile, `{"seq":3,"object":{"ki`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Object(2); err != nil {
		t.Errorf("a cut-off last line hides the others: %v", err)
	}
	b, err = evidence.Load(damaged(t, evidence.ObjectsFile, "rubbish\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Object(2); err == nil || !strings.Contains(err.Error(), "objects.jsonl:2: ") {
		t.Errorf("err = %v", err)
	}
}

func TestLoadNeedsEveryFile(t *testing.T) {
	t.Parallel()
	for _, file := range []string{evidence.VariantFile, evidence.TimelineFile, evidence.SnapshotsFile} {
		_, dir := create(t)
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
		if _, err := evidence.Load(dir); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), file) {
			t.Errorf("without %s: err = %v", file, err)
		}
	}
}

func TestWriteErrorIsSticky(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	r.Object(evidence.ObjectVersion{Ref: evidence.Ref{Kind: "ConfigMap", Name: "c"}}, map[string]any{"bad": func() {}})
	first := r.Err()
	if first == nil || !strings.Contains(first.Error(), "ConfigMap/c") {
		t.Fatalf("err = %v", first)
	}
	if err := r.Snapshot(evidence.Snapshot{Step: "v1"}); !errors.Is(err, first) {
		t.Errorf("err = %v", err)
	}
	if err := r.Close(); !errors.Is(err, first) {
		t.Errorf("Close = %v", err)
	}
}

func TestWriteFileReplacesAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, v := range []string{"old", "new"} {
		if err := evidence.WriteFile(dir, "run.json", map[string]string{"v": v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := evidence.WriteFile(dir, "run.json", func() {}); err == nil {
		t.Error("a function was encoded")
	}
	data, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil || string(data) != "{\n  \"v\": \"new\"\n}\n" {
		t.Errorf("%q, %v", data, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
