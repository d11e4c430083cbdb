package assert_test

import (
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

// decided records what the readiness controller decided of a pod.
func decided(workload, pod, decision string) func(*story) {
	return func(s *story) {
		s.rec.Record(evidence.Event{Readiness: &evidence.Readiness{
			Pod:      evidence.Ref{Version: "v1", Kind: "Pod", Namespace: "ns", Name: pod, UID: "uid-" + pod},
			Workload: workload, Decision: decision,
		}})
	}
}

// TestReadinessRules: a rule that held for no pod has rehearsed nothing, and is told so.
func TestReadinessRules(t *testing.T) {
	t.Parallel()
	rule := func(workload string, steps ...string) v1alpha1.ReadinessRule {
		return v1alpha1.ReadinessRule{Workload: workload, Steps: steps, Never: true}
	}
	late := edits{"v1": decided(backend, "a", "held"), "v2": all(decided(backend, "b", "released"), decided(backend, "a", "released"))}
	free := func(r v1alpha1.ReadinessRule) v1alpha1.ReadinessRule { r.RequireHeld = new(bool); return r }
	mismatch := func(s *story) { s.result.Mismatch = "x" }
	died := func(s *story) { s.result.Errored, s.result.Error = true, "the cluster died" }
	for _, tc := range []struct {
		name  string
		edits edits
		rules []v1alpha1.ReadinessRule
		want  verdict.Status // of the last rule
		says  string
	}{
		{"held", edits{"v1": decided(backend, "a", "held")}, []v1alpha1.ReadinessRule{rule(backend)}, passed, ""},
		{"failed", edits{"v1": decided("Job/migrate", "a", "failed")}, []v1alpha1.ReadinessRule{rule("Job/migrate", "v1")}, passed, ""},
		{"named with its group and namespace", late, []v1alpha1.ReadinessRule{rule("Deployment.apps/ns/backend")}, passed, ""},
		{"in its step", late, []v1alpha1.ReadinessRule{rule(backend, "v2")}, passed, ""},
		{"outside of any step", edits{"before v1": decided(backend, "a", "held")}, []v1alpha1.ReadinessRule{rule(backend, "v2"), rule(backend, "v1")}, passed, ""},
		{"between its step and the next", edits{"before scaled": decided(backend, "a", "held")}, []v1alpha1.ReadinessRule{rule(backend, "back"), rule(backend, "v1")}, passed, ""},
		{"between its step and the one before", edits{"before back": decided(backend, "a", "held")}, []v1alpha1.ReadinessRule{rule(backend, "v1"), rule(backend, "back")}, passed, ""},
		{"after its step, the last", edits{"after": decided(backend, "a", "held")}, []v1alpha1.ReadinessRule{rule(backend, "back")}, passed, ""},
		{
			"between two steps, both of them others",
			edits{"before scaled": decided(backend, "a", "held")},
			[]v1alpha1.ReadinessRule{rule(backend, "v1"), rule(backend, "back")},
			inconclusive,
			`Deployment/backend had new pods between step "v1" and step "scaled", but not in step "back"; correct its steps`,
		},
		{
			"before and in other steps",
			edits{"before v1": decided(backend, "a", "held"), "v1": decided(backend, "b", "held"), "v2": decided(backend, "c", "held")},
			[]v1alpha1.ReadinessRule{rule(backend, "back")},
			inconclusive,
			`had new pods before step "v1" and in step "v1" and in step "v2", but not in`,
		},
		{"after a step that is not its own", edits{"after": decided(backend, "a", "held")}, []v1alpha1.ReadinessRule{rule(backend, "v2")}, inconclusive, `had new pods after step "back", but not in step "v2"`},
		{
			"between two steps, behind another",
			edits{"before scaled": decided(backend, "a", "held")},
			[]v1alpha1.ReadinessRule{rule(backend, "v1", "scaled"), rule(backend, "back"), rule(backend, "scaled")},
			inconclusive, "readiness[0] comes first",
		},
		{"that need not be held", late, []v1alpha1.ReadinessRule{free(rule("Deployment/bakcend"))}, passed, ""},
		{"that need not be held, whose step was not reached", edits{"v2": mismatch}, []v1alpha1.ReadinessRule{free(rule(backend, "back"))}, passed, ""},
		{"whose step the harness failed in", edits{"v2": died}, []v1alpha1.ReadinessRule{rule(db, "v2")}, inconclusive, `it held for no pod: step "v2" did not run to its end: the cluster died`},
		{"whose second step the harness failed in", edits{"v2": died}, []v1alpha1.ReadinessRule{rule(db, "v1", "v2")}, inconclusive, `step "v2" did not run to its end`},
		{"for all steps, in one of which the harness failed", edits{"v2": died}, []v1alpha1.ReadinessRule{rule(db)}, inconclusive, `step "v2" did not run to its end`},
		{"whose step was over when the harness failed", edits{"v2": died}, []v1alpha1.ReadinessRule{rule(db, "v1")}, inconclusive, `had no new pod in step "v1"`},
		{"beside a rule for other steps", late, []v1alpha1.ReadinessRule{rule(backend, "v1"), rule(backend)}, passed, ""},
		{
			"mistyped", late,
			[]v1alpha1.ReadinessRule{rule("Deployment/bakcend")},
			inconclusive,
			`it held for no pod: there was no workload Deployment/bakcend (did you mean "Deployment/backend"?)`,
		},
		{
			"of another kind", late,
			[]v1alpha1.ReadinessRule{rule("DaemonSet/agent")},
			inconclusive,
			"there was no workload DaemonSet/agent (known: Deployment/backend, Deployment/frontend, StatefulSet/db)",
		},
		{"without new pods", late, []v1alpha1.ReadinessRule{rule(db)}, inconclusive, "StatefulSet/db was there, but had no new pod in any step; let a step change its pods"},
		{"without new pods in its steps", late, []v1alpha1.ReadinessRule{rule(db, "v2", "back")}, inconclusive, `had no new pod in step "v2" or "back"`},
		{
			"of a step in which an older pod was released",
			edits{"v1": decided(backend, "a", "held"), "v2": decided(backend, "a", "released")},
			[]v1alpha1.ReadinessRule{rule(backend, "v1"), rule(backend, "v2")},
			inconclusive, `Deployment/backend had new pods in step "v1", but not in step "v2"; correct its steps`,
		},
		{"behind another", late, []v1alpha1.ReadinessRule{rule(backend), rule(backend, "v1")}, inconclusive, "readiness[0] comes first and holds for every pod of Deployment/backend"},
		{"whose step was not reached", edits{"v2": mismatch}, []v1alpha1.ReadinessRule{rule(backend, "back")}, verdict.Skipped, `step "v2" ended the run before it held for a pod`},
		{"whose step was over when the run ended", edits{"v2": mismatch}, []v1alpha1.ReadinessRule{rule(backend, "v1")}, inconclusive, `had no new pod in step "v1"`},
		{
			"behind another until the run ended",
			edits{"v1": decided(backend, "a", "held"), "v2": mismatch},
			[]v1alpha1.ReadinessRule{rule(backend, "v1"), rule(backend)},
			verdict.Skipped, `step "v2" ended the run`,
		},
		{"when the run was killed", edits{"v2": func(s *story) { s.killed = true }}, []v1alpha1.ReadinessRule{rule(backend)}, inconclusive, `the evidence ends before the end of step "v2"`},
		{"on a cluster that can hold none back", edits{"v1": func(s *story) {
			s.rec.Record(evidence.Event{Lack: &evidence.Lack{What: "readiness", Reason: "no policies"}})
		}}, []v1alpha1.ReadinessRule{rule(backend)}, verdict.Skipped, "readiness: no policies"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			all := assert.Judge(play(t, tc.edits), v1alpha1.Spec{Readiness: tc.rules})
			got := all[len(all)-1]
			if got.Kind != "readiness" || !strings.HasPrefix(got.Name, "readiness "+tc.rules[len(tc.rules)-1].Workload) || got.File != "story.yaml" {
				t.Errorf("%+v", got)
			}
			if got.Status != tc.want || !strings.Contains(got.Message, tc.says) || (tc.says == "") != (got.Message == "") {
				t.Errorf("%s: %q, want %s: %q", got.Status, got.Message, tc.want, tc.says)
			}
			required := tc.rules[len(tc.rules)-1].RequireHeld == nil
			if (len(got.Evidence) > 0) != (required && got.Status == passed) {
				t.Errorf("%s rests on %v", got.Status, got.Evidence)
			}
		})
	}
}
