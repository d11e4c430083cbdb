package assert_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
)

func within(limit time.Duration) *v1alpha1.RecoveryTime {
	return &v1alpha1.RecoveryTime{Of: "back", Max: metav1.Duration{Duration: limit}}
}

func TestRecoveryTime(t *testing.T) {
	t.Parallel()
	judgeAll(t, "recoveryTime", []judgement{
		{name: "in time", want: passed, spec: within(time.Minute)},
		{
			name: "too slow", want: failed, spec: within(time.Second),
			edits: edits{"instead of back": func(s *story) { rollOut(db, backend)(s); s.now += 3 * time.Second; s.status(frontend, "Current") }},
			says:  []string{`expected every workload Current within 1s of the start of step "back", seen `, "Deployment/frontend at +", "was the last"},
		},
		{
			name: "never", edits: edits{"instead of back": rollOut(db, frontend)}, want: failed, spec: within(time.Minute),
			says: []string{`Deployment/backend was not Current by the end of the evidence on step "back": InProgress (replicas: 0/1)`},
		},
		{
			name: "Current for good counts", want: failed, spec: within(time.Second),
			edits: edits{"back": func(s *story) { s.status(db, "InProgress"); s.now += time.Minute; s.status(db, "Current") }},
			says:  []string{"StatefulSet/db at +"},
		},
		{name: "what comes after the run does not", edits: edits{"after": func(s *story) { s.remove(db) }}, want: passed, spec: within(time.Minute)},
		{
			name: "an object is missing", edits: edits{"back": func(s *story) { s.remove(db) }}, want: failed, spec: within(time.Minute),
			says: []string{"StatefulSet/db was not Current by the end of the evidence", "NotFound"},
		},
		{
			name: "an object was never made", want: failed, spec: within(time.Minute),
			edits: edits{"back": func(s *story) {
				s.newest().Manifest = append(chart("v1", 0), parse(`{apiVersion: batch/v1, kind: Job, metadata: {name: report}}`))
			}},
			says: []string{"Job/report was not Current by the end of the evidence", "it does not exist"},
		},
		{
			name: "an object without a status", want: inconclusive, spec: within(time.Minute),
			edits: edits{"back": func(s *story) {
				job := parse(`{apiVersion: batch/v1, kind: Job, metadata: {name: report, namespace: ns}}`)
				s.newest().Manifest = append(chart("v1", 0), job)
				s.put(job)
			}},
			says: []string{"no status of Job/report was ever seen"},
		},
		{
			name: "no workload", edits: edits{"back": func(s *story) { s.newest().Manifest = chart("v1", 0)[:2] }}, want: inconclusive, spec: within(time.Minute),
			says: []string{`the release has no workload at the end of step "back"`},
		},
		{
			name: "the harness failed", edits: edits{"back": func(s *story) { s.result.Errored, s.result.Error = true, "etcd is gone" }},
			want: inconclusive, spec: within(time.Minute), says: []string{`step "back" did not run to its end: etcd is gone`},
		},
		{
			name: "gap", edits: edits{"back": func(s *story) { s.gap("deployments.apps") }}, want: inconclusive, spec: within(time.Minute),
			says: []string{"evidence about deployments.apps may be missing"},
		},
	})
}

// TestRecoveryGoesOnInAwait: a rollback that does not wait is over before its workloads are.
func TestRecoveryGoesOnInAwait(t *testing.T) {
	t.Parallel()
	b := awaited(t, "await")
	if got := judgeOne(t, b, "recoveryTime", within(time.Minute)); got.Status != passed {
		t.Errorf("%s: %s", got.Status, got.Message)
	}
	if got := judgeOne(t, b, "recoveryTime", within(time.Second)); got.Status != failed {
		t.Errorf("%s: %s", got.Status, got.Message)
	}
	if got := judgeOne(t, awaited(t, "act"), "recoveryTime", within(time.Minute)); got.Status != failed {
		t.Errorf("a later act counts as recovery: %s", got.Status)
	}
}

// awaited is a rollback whose database becomes Current only in the step after it.
func awaited(t *testing.T, operation string) *evidence.Bundle {
	t.Helper()
	s := begin(t, []string{"v1", "back", "wait"})
	s.step("v1", "install", func(s *story) { s.deploy(1, "v1", 2) })
	s.step("back", "rollback", rollOut(backend, frontend))
	s.step("wait", operation, func(s *story) { s.now += 5 * time.Second; s.status(db, "Current") })
	return s.load()
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	got := assert.Recovery(play(t, edits{"instead of back": rollOut(db, frontend)}))
	for _, step := range []string{"v1", "v2"} {
		if got[step] < 500*time.Millisecond || got[step] > 10*time.Second {
			t.Errorf("%s took %s", step, got[step])
		}
		delete(got, step)
	}
	// scaled is no operation of Helm, and back never recovered.
	if diff := cmp.Diff(map[string]time.Duration{}, got); diff != "" {
		t.Error(diff)
	}
}
