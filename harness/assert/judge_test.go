package assert_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

const (
	passed       = verdict.Passed
	failed       = verdict.Failed
	inconclusive = verdict.Inconclusive
)

// judgement is one row of an assertion's table.
type judgement struct {
	name string
	// edits doctor the story.
	edits edits
	spec  any
	want  verdict.Status
	// says are texts of the message.
	says []string
}

func judgeAll(t *testing.T, kind string, table []judgement) {
	t.Helper()
	for _, tc := range table {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := judgeOne(t, play(t, tc.edits), kind, tc.spec)
			if got.Status != tc.want {
				t.Errorf("%s: %s", got.Status, got.Message)
			}
			for _, text := range tc.says {
				if !strings.Contains(got.Message, text) {
					t.Errorf("the message lacks %q:\n%s", text, got.Message)
				}
			}
			if (got.Message == "") != (got.Status == passed) {
				t.Errorf("%s with message %q", got.Status, got.Message)
			}
		})
	}
}

func judgeOne(t *testing.T, b *evidence.Bundle, kind string, spec any) verdict.Verdict {
	t.Helper()
	all := assert.Judge(b, v1alpha1.Spec{Assert: []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: kind, Spec: spec}}}})
	return all[len(all)-1]
}

// TestStepsThatSayNothing: whatever the assertion, it is inconclusive without evidence of its step.
func TestStepsThatSayNothing(t *testing.T) {
	t.Parallel()
	specs := map[string]func(step string) any{
		"ownership": func(step string) any {
			return &v1alpha1.Ownership{At: step, Object: "Deployment/backend", Managers: []v1alpha1.Manager{{Name: "*"}}}
		},
		"readinessOrder": func(step string) any {
			return &v1alpha1.ReadinessOrder{At: step, Chain: []string{"StatefulSet/db", "Deployment/backend"}}
		},
		"ledger":       func(step string) any { return &v1alpha1.Ledger{At: step} },
		"live":         func(step string) any { return &v1alpha1.Live{At: step} },
		"recoveryTime": func(step string) any { return &v1alpha1.RecoveryTime{Of: step} },
		"object":       func(step string) any { return &v1alpha1.ObjectMatch{At: step, Object: "Deployment/backend"} },
		"events":       func(step string) any { return &v1alpha1.Events{At: step} },
		"firings":      func(step string) any { return &v1alpha1.Firings{At: step, Fault: "f"} },
		"requests":     func(step string) any { return &v1alpha1.Requests{At: step} },
	}
	for _, kind := range assert.Registry().Names() {
		spec := specs[kind]
		if spec == nil {
			t.Fatalf("no spec of %s in this test", kind)
		}
		// What needs the timeline alone is judged without a snapshot.
		byTimeline := kind == "readinessOrder" || kind == "events" || kind == "firings" || kind == "requests"
		for _, tc := range []struct {
			name, step string
			edits      edits
			says       string
			snapshots  bool
		}{
			{name: "unknown step", step: "v9", says: `no step "v9" was planned`},
			{name: "ended before", step: "back", edits: edits{"v2": func(s *story) { s.result.Mismatch = "x" }}, says: `step "back" was never reached: step "v2" ended the run`},
			{name: "killed before", step: "back", edits: edits{"v2": func(s *story) { s.killed = true }}, says: "the evidence ends before it"},
			{name: "killed within", step: "v2", edits: edits{"v2": func(s *story) { s.killed = true }}, says: `the evidence ends while step "v2" was under way`},
			{name: "no snapshot", step: "back", edits: edits{"back": func(s *story) { s.noSnapshot = true }}, says: `there is no snapshot of step "back"`, snapshots: true},
			{name: "incomplete", step: "back", edits: edits{"back": func(s *story) { s.incomplete = []string{"pods: forbidden"} }}, says: "incomplete: pods: forbidden", snapshots: true},
		} {
			if tc.snapshots && byTimeline {
				continue
			}
			t.Run(kind+"/"+tc.name, func(t *testing.T) {
				t.Parallel()
				got := judgeOne(t, play(t, tc.edits), kind, spec(tc.step))
				if got.Status != inconclusive || !strings.Contains(got.Message, tc.says) {
					t.Errorf("%s: %s", got.Status, got.Message)
				}
			})
		}
	}
}

func TestJudgeSteps(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Name    string
		Status  verdict.Status
		Message string
	}
	for _, tc := range []struct {
		name    string
		edits   edits
		finally int
		want    []outcome
	}{
		{"all well", nil, 0, []outcome{{"v1", passed, ""}, {"scaled", passed, ""}, {"v2", passed, ""}, {"back", passed, ""}}},
		{
			"mismatch",
			edits{"scaled": func(s *story) { s.result.Mismatch = "expected success, got a conflict" }},
			1,
			[]outcome{
				{"v1", passed, ""},
				{"scaled", failed, "expected success, got a conflict"},
				{"v2", verdict.Skipped, `step "scaled" ended the run`},
				{"back", inconclusive, "never reached: the evidence ends before it"}, // finally runs whatever happens
			},
		},
		{
			"harness error",
			edits{"v2": func(s *story) { s.result.Errored, s.result.Error = true, "etcd is gone" }},
			0,
			[]outcome{{"v1", passed, ""}, {"scaled", passed, ""}, {"v2", verdict.Errored, "etcd is gone"}, {"back", verdict.Skipped, `step "v2" ended the run`}},
		},
		{
			"harness error without a text",
			edits{"back": func(s *story) { s.result.Errored = true }},
			0,
			[]outcome{{"v1", passed, ""}, {"scaled", passed, ""}, {"v2", passed, ""}, {"back", verdict.Errored, "the harness failed without saying why"}},
		},
		{
			"killed",
			edits{"v2": func(s *story) { s.killed = true }},
			0,
			[]outcome{
				{"v1", passed, ""},
				{"scaled", passed, ""},
				{"v2", inconclusive, "the evidence ends while this step was under way"},
				{"back", inconclusive, "never reached: the evidence ends before it"},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := play(t, tc.edits)
			var got []outcome
			for _, v := range assert.Judge(b, v1alpha1.Spec{Finally: make([]v1alpha1.Step, tc.finally)}) {
				if v.Kind != "step" || v.Step != v.Name || v.File != "story.yaml" {
					t.Errorf("verdict %+v", v)
				}
				got = append(got, outcome{v.Name, v.Status, v.Message})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVerdictsTellWhereAndWhat(t *testing.T) {
	t.Parallel()
	b := play(t, nil)
	ledger := v1alpha1.Choice{Kind: "ledger", Spec: &v1alpha1.Ledger{}}
	all := assert.Judge(b, v1alpha1.Spec{
		KnownIssue: &v1alpha1.KnownIssue{Issue: "helm/helm#1"},
		Finally:    make([]v1alpha1.Step, 1),
		Assert: []v1alpha1.Assertion{
			{Do: ledger},
			{Do: ledger},
			{Name: "v1", Do: v1alpha1.Choice{Kind: "object", Spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", At: "v1"}}},
			{KnownIssue: &v1alpha1.KnownIssue{Issue: "helm/helm#2"}, Do: v1alpha1.Choice{Kind: "ledger", Spec: &v1alpha1.Ledger{Reachable: []int{9}}}},
			{Do: v1alpha1.Choice{Kind: "legder"}},
			{Do: v1alpha1.Choice{Kind: "live", Spec: &v1alpha1.Ledger{}}},
		},
	})
	asserted := all[4:]
	// The last planned step is v2, since back is of finally.
	for i, want := range []string{"ledger at v2", "ledger at v2 (2)", "v1 (2)", "ledger at v2 (3)", "legder", "live"} {
		if asserted[i].Name != want {
			t.Errorf("name %q, want %q", asserted[i].Name, want)
		}
	}
	if all[0].Line != 10 || asserted[0].Line != 20 || asserted[0].File != "story.yaml" || asserted[0].KnownIssue != "helm/helm#1" {
		t.Errorf("%+v", asserted[0])
	}
	broken := asserted[3]
	if broken.Status != failed || broken.KnownIssue != "helm/helm#2" || !strings.HasPrefix(broken.Message,
		"the behaviour that helm/helm#2 describes was not seen; it may have been fixed in Helm v4.3.1: revision 9 cannot") {
		t.Errorf("%+v", broken)
	}
	if got := asserted[4]; got.Status != inconclusive || !strings.Contains(got.Message, `did you mean "ledger"?`) {
		t.Errorf("%+v", got)
	}
	if got := asserted[5]; got.Status != inconclusive || !strings.Contains(got.Message, "not a *v1alpha1.Live") {
		t.Errorf("%+v", got)
	}
}

// TestHarnessFailed: what is not there after a step in which the harness failed says nothing of Helm.
func TestHarnessFailed(t *testing.T) {
	t.Parallel()
	many := 1000
	all := assert.Judge(play(t, edits{"v2": func(s *story) { s.result.Errored, s.result.Mismatch = true, "the run was interrupted" }}), v1alpha1.Spec{
		Assert: []v1alpha1.Assertion{
			{Do: v1alpha1.Choice{Kind: "ledger", Spec: &v1alpha1.Ledger{At: "v2", Reachable: []int{9}}}},
			{Do: v1alpha1.Choice{Kind: "live", Spec: &v1alpha1.Live{At: "v2"}}},
			{Do: v1alpha1.Choice{Kind: "events", Spec: &v1alpha1.Events{Object: "Deployment/backend", Min: &many}}},
			{Do: v1alpha1.Choice{Kind: "events", Spec: &v1alpha1.Events{Object: "Deployment/backend", At: "v2", Min: &many}}},
			{Do: v1alpha1.Choice{Kind: "ledger", Spec: &v1alpha1.Ledger{At: "v1", Reachable: []int{9}}}},
		},
	})
	asserted := all[len(all)-5:]
	for _, v := range asserted[:4] {
		if v.Status != inconclusive || !strings.Contains(v.Message, "the run was interrupted") {
			t.Errorf("%s: %s: %s", v.Name, v.Status, v.Message)
		}
	}
	if got := asserted[4]; got.Status != failed {
		t.Errorf("what failed before: %s: %s", got.Status, got.Message)
	}
}

// TestKnownIssueOfABrokenRun: too many Events in a run in which the harness failed say nothing of the issue.
func TestKnownIssueOfABrokenRun(t *testing.T) {
	t.Parallel()
	none := 0
	all := assert.Judge(play(t, edits{"v2": func(s *story) {
		s.result.Errored = true
		s.kubeEvent("Deployment/backend", "Normal", "ScalingReplicaSet", "scaled", 1)
	}}), v1alpha1.Spec{
		KnownIssue: &v1alpha1.KnownIssue{Issue: "helm/helm#2"},
		Assert:     []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: "events", Spec: &v1alpha1.Events{Max: &none}}}},
	})
	if got := all[len(all)-1]; got.Status != failed || !strings.HasPrefix(got.Message, "expected at most 0 Events") {
		t.Errorf("%+v", got)
	}
}

// TestKnownIssue: a failure may mean that an issue is fixed, in Helm only if it is Helm's, and not if the harness failed.
func TestKnownIssue(t *testing.T) {
	t.Parallel()
	errored := func(s *story) { s.result.Errored, s.result.Error = true, "etcd is gone" }
	const fixed = "was not seen; it may have been fixed"
	for _, tc := range []struct {
		name, issue, at string
		edits           edits
		// prefix begins the message.
		prefix string
	}{
		{"of Helm", "helm/helm#2", "v2", nil, "the behaviour that helm/helm#2 describes " + fixed + " in Helm v4.3.1: revision 9 cannot"},
		{"of another project", "kubernetes/kubernetes#2", "v2", nil, "the behaviour that kubernetes/kubernetes#2 describes " + fixed + ": revision 9 cannot"},
		{"of a project with a like name", "helm/helm-www#2", "v2", nil, "the behaviour that helm/helm-www#2 describes " + fixed + ": revision 9 cannot"},
		{"the harness failed later", "helm/helm#2", "v1", edits{"v2": errored}, "the behaviour that helm/helm#2 describes " + fixed},
		{"the step failed", "helm/helm#2", "v2", edits{"v2": func(s *story) { s.result.Mismatch = "x" }}, "the behaviour that helm/helm#2 describes " + fixed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			all := assert.Judge(play(t, tc.edits), v1alpha1.Spec{
				KnownIssue: &v1alpha1.KnownIssue{Issue: tc.issue},
				Assert:     []v1alpha1.Assertion{{Do: v1alpha1.Choice{Kind: "ledger", Spec: &v1alpha1.Ledger{At: tc.at, Reachable: []int{9}}}}},
			})
			if got := all[len(all)-1]; got.Status != failed || got.KnownIssue != tc.issue || !strings.HasPrefix(got.Message, tc.prefix) {
				t.Errorf("%+v", got)
			}
			for _, v := range all[:len(all)-1] {
				if v.Status == verdict.Errored && strings.Contains(v.Message, fixed) {
					t.Errorf("an error of the harness is blamed on the issue: %+v", v)
				}
			}
		})
	}
}

// TestJudgingAgain: verdicts are a function of the bundle alone.
func TestJudgingAgain(t *testing.T) {
	t.Parallel()
	b := play(t, edits{"back": func(s *story) {
		for _, key := range []string{"Deployment/backend", "Deployment/frontend", "StatefulSet/db", "ConfigMap/settings"} {
			s.edit(key, func(o map[string]any) {
				own(o, entry("kubectl-edit", "Update", "", map[string]any{"f:spec": map[string]any{"f:paused": map[string]any{}, "f:a": map[string]any{}, "f:b": map[string]any{}}}))
				delete(o, "spec")
				delete(o, "data")
			})
		}
	}})
	spec := v1alpha1.Spec{Assert: []v1alpha1.Assertion{
		{Do: v1alpha1.Choice{Kind: "live", Spec: &v1alpha1.Live{}}},
		{Do: v1alpha1.Choice{Kind: "ownership", Spec: &v1alpha1.Ownership{SameAs: "v1"}}},
	}}
	first := assert.Judge(b, spec)
	for range 10 {
		if diff := cmp.Diff(first, assert.Judge(b, spec)); diff != "" {
			t.Fatal(diff)
		}
	}
	if message := first[5].Message; !strings.Contains(message, "; and ") || strings.Count(message, "; ") != 10 {
		t.Errorf("findings are not capped: %s", message)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	want := []string{"ownership", "readinessOrder", "ledger", "live", "recoveryTime", "object", "events", "firings", "requests"}
	if diff := cmp.Diff(want, assert.Registry().Names()); diff != "" {
		t.Error(diff)
	}
	for _, info := range assert.Registry().Infos() {
		if info.Summary == "" || !strings.HasPrefix(info.Example, info.Name+":") || info.NewSpec() == nil || info.Validate == nil {
			t.Errorf("%s is not described", info.Name)
		}
		if problems := info.Validate("another type"); problems != nil {
			t.Errorf("%s: %v", info.Name, problems)
		}
	}
}
