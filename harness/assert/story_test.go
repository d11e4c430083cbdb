package assert_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
)

// story makes the bundle of a rehearsal without a cluster: install (v1), scale, upgrade (v2), roll back (back). A test
// changes a step by its edits, and so doctors the evidence.
type story struct {
	t   *testing.T
	rec *evidence.Recorder
	dir string
	now time.Duration

	live     map[string]map[string]any
	statuses map[string]string
	version  int
	ledger   evidence.Ledger
	// result is how the step under way ends.
	result evidence.StepFinished
	// incomplete and noSnapshot doctor the snapshot of the step under way.
	incomplete []string
	noSnapshot bool
	// killed ends the evidence within the step under way.
	killed bool
}

// edits are run within a step, after what it does by itself; "instead of X" replaces what step X does, "before X" and
// "after" run outside of the steps.
type edits map[string]func(*story)

var steps = []string{"v1", "scaled", "v2", "back"}

func play(t *testing.T, change edits) *evidence.Bundle {
	t.Helper()
	s := begin(t, steps)
	plot := map[string]struct {
		operation string
		do        func(*story)
	}{
		"v1":     {"install", func(s *story) { s.deploy(1, "v1", 2) }},
		"scaled": {"act", func(s *story) { s.scale(5) }},
		"v2":     {"upgrade", func(s *story) { s.deploy(2, "v2", 0) }},
		"back":   {"rollback", func(s *story) { s.deploy(3, "v1", 0) }},
	}
	known := []string{"after"}
	for _, step := range steps {
		known = append(known, step, "before "+step, "instead of "+step)
	}
	for name := range change {
		if !slices.Contains(known, name) {
			t.Fatalf("edit %q is of no step", name)
		}
	}
	for _, step := range steps {
		do := plot[step].do
		if other := change["instead of "+step]; other != nil {
			do = other
		}
		if f := change["before "+step]; f != nil {
			s.rec.SetStep("")
			f(s)
		}
		if !s.step(step, plot[step].operation, do, change[step]) {
			break
		}
	}
	s.rec.SetStep("")
	if f := change["after"]; f != nil {
		f(s)
	}
	return s.load()
}

func begin(t *testing.T, planned []string) *story {
	t.Helper()
	s := &story{t: t, dir: filepath.Join(t.TempDir(), "bundle"), live: map[string]map[string]any{}, statuses: map[string]string{}}
	s.ledger = evidence.Ledger{Release: "shop", Namespace: "ns"}
	rec, err := evidence.Create(s.dir, evidence.Variant{
		Scenario: "story", File: "story.yaml", Release: "shop", Namespace: "ns", Steps: planned,
		Also:     []string{"ConfigMap/kube-system/watched", "ClusterRole.rbac.authorization.k8s.io/watched"},
		Versions: map[string]string{"helm": "v4.3.1"},
		Lines:    map[string]int{"steps[0]": 10, "steps[3]": 13, "assert[0]": 20},
	}, evidence.WithClock(func() time.Duration { s.now += 100 * time.Millisecond; return s.now }))
	if err != nil {
		t.Fatal(err)
	}
	s.rec = rec
	t.Cleanup(func() { _ = rec.Close() })
	return s
}

// step runs one step and reports whether the run goes on.
func (s *story) step(name, operation string, acts ...func(*story)) bool {
	s.rec.SetStep(name)
	s.rec.Record(evidence.Event{Started: &evidence.StepStarted{Operation: operation}})
	started := s.now
	s.result, s.incomplete, s.noSnapshot = evidence.StepFinished{Operation: operation}, nil, false
	for _, act := range acts {
		if act != nil {
			act(s)
		}
	}
	if s.killed {
		return false
	}
	s.result.Took = s.now - started
	result := s.result
	s.rec.Record(evidence.Event{Finished: &result})
	if !s.noSnapshot {
		snap := evidence.Snapshot{Step: name, Incomplete: s.incomplete, Ledger: s.ledger}
		snap.Ledger.Revisions = slices.Clone(s.ledger.Revisions)
		snap.Ledger.Unreadable = maps.Clone(s.ledger.Unreadable)
		for _, key := range slices.Sorted(maps.Keys(s.live)) {
			snap.Objects = append(snap.Objects, s.live[key])
		}
		if err := s.rec.Snapshot(snap); err != nil {
			s.t.Fatal(err)
		}
	}
	return result.Mismatch == "" && !result.Errored
}

func (s *story) load() *evidence.Bundle {
	s.t.Helper()
	if err := s.rec.Close(); err != nil {
		s.t.Fatal(err)
	}
	b, err := evidence.Load(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// deploy is what Helm does to the release: a new revision, applied, and then waited for part by part.
func (s *story) deploy(revision int, tag string, replicas int) {
	manifest := chart(tag, replicas)
	s.revise(revision, manifest)
	for _, m := range manifest {
		s.apply(m)
	}
	for _, name := range []string{"StatefulSet/db", "Deployment/backend", "Deployment/frontend"} {
		s.status(name, "Current")
	}
}

// revise adds a deployed revision and supersedes the others.
func (s *story) revise(number int, manifest []map[string]any) {
	for i := range s.ledger.Revisions {
		s.ledger.Revisions[i].Status = "superseded"
	}
	s.ledger.Revisions = append(s.ledger.Revisions, evidence.Revision{
		Revision: number, Status: "deployed", ApplyMethod: "ssa", Manifest: manifest,
		Hooks: []evidence.Hook{{Ref: evidence.Ref{Group: "batch", Version: "v1", Kind: "Job", Namespace: "ns", Name: "migrate"}}},
	})
}

// newest is the newest revision, to be doctored.
func (s *story) newest() *evidence.Revision { return &s.ledger.Revisions[len(s.ledger.Revisions)-1] }

// apply makes an object of a manifest live, as server-side apply by Helm does: fields of other managers stay.
func (s *story) apply(manifest map[string]any) {
	o := clone(manifest)
	key := keyOf(o)
	meta := o["metadata"].(map[string]any)
	meta["namespace"], meta["uid"] = "ns", "uid-"+key
	annotations, _ := meta["annotations"].(map[string]any)
	meta["annotations"] = merged(annotations, map[string]any{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "ns"})
	generation := int64(1)
	var others []any
	if old := s.live[key]; old != nil {
		oldMeta := old["metadata"].(map[string]any)
		meta["uid"] = oldMeta["uid"]
		generation = oldMeta["generation"].(int64) + 1
		others = slices.DeleteFunc(slices.Clone(oldMeta["managedFields"].([]any)), func(e any) bool { return e.(map[string]any)["manager"] == "helm" })
		spec, _ := o["spec"].(map[string]any)
		if oldSpec, ok := old["spec"].(map[string]any); ok && spec != nil && spec["replicas"] == nil {
			spec["replicas"] = oldSpec["replicas"]
		}
	}
	meta["generation"] = generation
	fields := map[string]any{}
	if spec, ok := manifest["spec"].(map[string]any); ok {
		fields["f:spec"] = fieldsOf(spec)
	}
	if data, ok := manifest["data"].(map[string]any); ok {
		fields["f:data"] = fieldsOf(data)
	}
	meta["managedFields"] = append([]any{entry("helm", "Apply", "", fields)}, others...)
	if text, ok := o["stringData"].(map[string]any); ok {
		delete(o, "stringData")
		data := map[string]any{}
		for k, v := range text {
			data[k] = base64.StdEncoding.EncodeToString([]byte(v.(string)))
		}
		o["data"] = data
	}
	s.put(o)
	switch o["kind"] {
	case "Deployment", "StatefulSet":
		s.status(key, "InProgress")
	default:
		s.status(key, "Current")
	}
}

// scale is what an autoscaler does to the backend.
func (s *story) scale(replicas int64) {
	s.edit("Deployment/backend", func(o map[string]any) {
		o["spec"].(map[string]any)["replicas"] = replicas
		disown(o, "helm", "replicas")
		own(o, entry("hpa", "Update", "scale", map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}))
	})
}

// edit records a new version of a live object.
func (s *story) edit(key string, change func(o map[string]any)) {
	s.t.Helper()
	if s.live[key] == nil {
		s.t.Fatalf("%s is not live", key)
	}
	o := clone(s.live[key])
	meta := o["metadata"].(map[string]any)
	meta["generation"] = meta["generation"].(int64) + 1
	change(o)
	s.put(o)
}

func own(o, e map[string]any) {
	meta := o["metadata"].(map[string]any)
	meta["managedFields"] = append(meta["managedFields"].([]any), e)
}

// disown takes a field of spec from a manager.
func disown(o map[string]any, manager, field string) {
	for _, e := range o["metadata"].(map[string]any)["managedFields"].([]any) {
		if e := e.(map[string]any); e["manager"] == manager {
			delete(e["fieldsV1"].(map[string]any)["f:spec"].(map[string]any), "f:"+field)
		}
	}
}

// put records a version of an object.
func (s *story) put(o map[string]any) {
	key := keyOf(o)
	change := evidence.Added
	if s.live[key] != nil {
		change = evidence.Modified
	}
	s.live[key] = o
	s.record(o, change)
}

func (s *story) record(o map[string]any, change evidence.Change) {
	s.version++
	meta := o["metadata"].(map[string]any)
	generation, _ := meta["generation"].(int64)
	s.rec.Object(evidence.ObjectVersion{Ref: refOf(o), Change: change, ResourceVersion: fmt.Sprint(s.version), Generation: generation}, o)
}

// status records a transition, if it is one.
func (s *story) status(key, to string) {
	s.t.Helper()
	o := s.live[key]
	if o == nil {
		s.t.Fatalf("%s is not live", key)
	}
	s.transition(refOf(o), to)
}

func (s *story) transition(ref evidence.Ref, to string) {
	from := s.statuses[ref.String()]
	if from == "" {
		from = "NotFound"
	}
	if from == to {
		return
	}
	s.statuses[ref.String()] = to
	message := ""
	if to == "InProgress" {
		message = "replicas: 0/1"
	}
	s.rec.Record(evidence.Event{Transition: &evidence.Transition{Ref: ref, From: from, To: to, Message: message, ResourceVersion: fmt.Sprint(s.version)}})
}

func (s *story) remove(key string) {
	s.t.Helper()
	o := s.live[key]
	if o == nil {
		s.t.Fatalf("%s is not live", key)
	}
	s.record(o, evidence.Deleted)
	delete(s.live, key)
	s.transition(refOf(o), "NotFound")
}

func (s *story) gap(resource string) {
	s.rec.Record(evidence.Event{Gap: &evidence.Gap{Resource: resource, Reason: "too old resource version"}})
}

func (s *story) kubeEvent(object, kind, reason, message string, count int32) {
	k, name, _ := strings.Cut(object, "/")
	s.rec.Record(evidence.Event{KubeEvent: &evidence.KubeEvent{
		Regarding: evidence.Ref{Group: "apps", Version: "v1", Kind: k, Namespace: "ns", Name: name},
		Type:      kind, Reason: reason, Message: message, Count: count,
	}})
}
