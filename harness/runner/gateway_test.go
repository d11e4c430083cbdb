package runner

import (
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
)

// TestGateway: every request of Helm is evidence, with what it wanted to write, and nobody else's is.
func TestGateway(t *testing.T) {
	t.Parallel()
	specs := map[string]string{
		"recorded": appRelease + "  steps: [{name: v1, install: {}}, {name: v2, upgrade: {values: {tag: v2}, forceConflicts: true}}]\n",
	}
	out, dir := performIn(t, t.Context(), Config{Attached: borrow(t), Journal: openJournal(t), Parallel: 1}, prepare(t, specs, app))
	bundle, err := evidence.Load(filepath.Join(dir, out.Variants[0].Dir))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int64{}
	for _, e := range bundle.Timeline {
		if e.Request == nil {
			continue
		}
		if !strings.HasPrefix(e.Request.UserAgent, "Helm/") {
			t.Errorf("%s of %q passed", e.Request, e.Request.UserAgent)
		}
		seen[e.Step+": "+e.Request.String()] = e.Seq
	}
	for _, want := range []string{
		"v1: create secrets/sh.helm.release.v1.r.v1", "v1: patch deployments/app", "v1: update secrets/sh.helm.release.v1.r.v1",
		"v1: watch deployments", "v2: patch deployments/app", "v2: create secrets/sh.helm.release.v1.r.v2", "v2: get /version",
	} {
		if seen[want] == 0 {
			t.Errorf("there is no %q among %v", want, seen)
		}
	}
	seq := seen["v2: patch deployments/app"]
	if seq == 0 {
		t.FailNow()
	}
	if q := bundle.Timeline[seq-1].Request; !q.Force || q.Manager != "helm" || q.Status != 200 || q.PatchType != "apply-patch+yaml" {
		t.Errorf("%+v", q)
	}
	body, err := bundle.Body(seq)
	if object, ok := body.(map[string]any); err != nil || !ok || object["kind"] != "Deployment" {
		t.Errorf("its body is %v, %v", body, err)
	}
}

// TestStraight: without a gateway no request is evidence, and what needs one is skipped.
func TestStraight(t *testing.T) {
	t.Parallel()
	specs := map[string]string{
		"straight": appRelease + "  faults: [{name: f, api: {break: reset}}]\n  steps: [{name: v1, install: {}, during: [f]}]\n",
	}
	out, _ := performIn(t, t.Context(), Config{Attached: borrow(t), Journal: openJournal(t), Parallel: 1, Straight: true}, prepare(t, specs, app))
	v := out.Variants[0]
	if v.Status != "skipped" || !strings.Contains(v.Reason, "do not pass a gateway") {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}
