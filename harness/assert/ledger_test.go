package assert_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

// stored sets the status of revisions, from the first one on.
func stored(statuses ...string) func(*story) {
	return func(s *story) {
		for i, status := range statuses {
			s.ledger.Revisions[i].Status = status
		}
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	back := func(f func(*story)) edits { return edits{"back": f} }
	empty := edits{"instead of v1": nothing, "instead of scaled": nothing, "instead of v2": nothing, "instead of back": nothing}
	described := func(s *story) { s.newest().Description = `Rollback "shop" failed: field is immutable` }
	pruned := func(s *story) { s.ledger.Revisions = s.ledger.Revisions[1:] }
	method := func(m string) func(*story) { return func(s *story) { s.newest().ApplyMethod = m } }
	judgeAll(t, "ledger", []judgement{
		{name: "by default", want: passed, spec: &v1alpha1.Ledger{}},
		{name: "all that can be stated", want: passed, spec: &v1alpha1.Ledger{
			Deployed: number(3), Statuses: map[int]string{1: "superseded", 2: "superseded", 3: "deployed"}, ApplyMethod: "ssa", Reachable: []int{1, 2},
		}},
		{
			name: "two deployed", edits: back(stored("superseded", "deployed", "deployed")), want: failed, spec: &v1alpha1.Ledger{},
			says: []string{`expected at most one deployed revision, seen 2 since step "v2" and 3 since step "back"`},
		},
		{
			name: "two deployed, as stated", edits: back(stored("superseded", "deployed", "deployed")), want: passed,
			spec: &v1alpha1.Ledger{Statuses: map[int]string{2: "deployed", 3: "deployed"}},
		},
		{
			name: "two deployed, one of them as stated", edits: back(stored("superseded", "deployed", "deployed")), want: failed,
			spec: &v1alpha1.Ledger{Statuses: map[int]string{2: "deployed"}}, says: []string{"expected at most one deployed revision"},
		},
		{name: "none deployed is accepted", edits: back(stored("superseded", "superseded", "failed")), want: passed, spec: &v1alpha1.Ledger{}},
		{
			name: "none deployed", edits: back(stored("superseded", "superseded", "failed")), want: failed, spec: &v1alpha1.Ledger{Deployed: number(3)},
			says: []string{"expected revision 3 alone to be deployed, seen none since step \"back\" (storage holds 1 superseded, 2 superseded, 3 failed)"},
		},
		{
			name: "another deployed", want: failed, spec: &v1alpha1.Ledger{Deployed: number(2)},
			says: []string{`expected revision 2 alone to be deployed, seen 3 since step "back"`},
		},
		{name: "deployed although none should", want: failed, spec: &v1alpha1.Ledger{Deployed: number(0)}, says: []string{"expected no deployed revision, seen 3"}},
		{
			name: "pending", edits: edits{"v2": stored("deployed", "pending-upgrade"), "instead of back": nothing}, want: failed, spec: &v1alpha1.Ledger{},
			says: []string{`revision 2 is stuck in pending-upgrade since step "v2"`},
		},
		{name: "pending allowed", edits: back(stored("deployed", "superseded", "pending-rollback")), want: passed, spec: &v1alpha1.Ledger{AllowPending: true}},
		{
			name: "pending stated", edits: back(stored("deployed", "superseded", "pending-rollback")), want: passed,
			spec: &v1alpha1.Ledger{Statuses: map[int]string{3: "pending-rollback"}},
		},
		{
			name: "unreadable", edits: back(func(s *story) { s.ledger.Unreadable = map[string]string{"sh.helm.release.v1.shop.v1": "bad gzip"} }),
			want: failed, spec: &v1alpha1.Ledger{}, says: []string{"the stored record sh.helm.release.v1.shop.v1 cannot be read since step \"back\": bad gzip"},
		},
		{
			name: "another status", want: failed, spec: &v1alpha1.Ledger{Statuses: map[int]string{1: "failed"}},
			says: []string{`revision 1: expected failed, seen superseded since step "v2"`},
		},
		{
			name: "status of a revision that is not stored", want: failed, spec: &v1alpha1.Ledger{Statuses: map[int]string{9: "failed"}},
			says: []string{"revision 9: expected failed, but it is not in storage, and was at the end of no step; storage holds 1 superseded, 2 superseded, 3 deployed"},
		},
		{
			name: "descriptions", edits: back(described), want: passed,
			spec: &v1alpha1.Ledger{Descriptions: map[int]string{3: "field is immutable"}},
		},
		{
			name: "another description", edits: back(described), want: failed, spec: &v1alpha1.Ledger{Descriptions: map[int]string{3: "quota"}},
			says: []string{`revision 3: expected a description with "quota", seen "Rollback \"shop\" failed: field is immutable" since step "back"`},
		},
		{
			name: "description of a revision that is not stored", want: failed, spec: &v1alpha1.Ledger{Descriptions: map[int]string{9: "x"}},
			says: []string{`revision 9: expected a description with "x", but it is not in storage, and was at the end of no step; storage holds 1 superseded, 2 superseded, 3 deployed`},
		},
		{
			name: "pruned", edits: back(pruned), want: failed, spec: &v1alpha1.Ledger{Reachable: []int{1, 2}},
			says: []string{`revision 1 cannot be rolled back to: it has not been in storage since step "back"; storage holds 2 superseded, 3 deployed`},
		},
		{
			name: "pruned before", edits: edits{"v2": pruned, "back": nothing}, want: failed, spec: &v1alpha1.Ledger{Statuses: map[int]string{1: "superseded"}},
			says: []string{`revision 1: expected superseded, but it has not been in storage since step "v2"; storage holds 2 superseded, 3 deployed`},
		},
		{
			name: "pruned when the ledger could not be read", want: failed, spec: &v1alpha1.Ledger{Reachable: []int{1}},
			edits: edits{"v2": func(s *story) { pruned(s); s.incomplete = []string{"ledger: forbidden"} }},
			says:  []string{`has not been in storage since step "back"; storage holds 2 superseded, 3 deployed`},
		},
		{
			name: "apply method", edits: back(method("csa")), want: failed, spec: &v1alpha1.Ledger{ApplyMethod: "ssa"},
			says: []string{`revision 3: expected apply method ssa (ssa), seen csa, since step "back"`},
		},
		{
			name: "apply method changed", edits: edits{"v2": method("csa"), "back": method("csa")}, want: failed, spec: &v1alpha1.Ledger{ApplyMethod: "unchanged"},
			says: []string{"revision 3: expected apply method ssa (unchanged), seen csa"},
		},
		{name: "apply method unchanged", want: passed, spec: &v1alpha1.Ledger{ApplyMethod: "unchanged"}},
		{
			name: "unchanged since the only revision", want: inconclusive, spec: &v1alpha1.Ledger{At: "v1", ApplyMethod: "unchanged"},
			says: []string{"revision 1 is the only one: there is none that its apply method could have changed from"},
		},
		{
			name: "a release of Helm 3 is client-side", edits: edits{"v1": method(""), "back": method("csa")}, want: passed,
			spec: &v1alpha1.Ledger{ApplyMethod: "unchanged"},
		},
		{
			name: "unchanged from a first revision that is pruned", want: failed, spec: &v1alpha1.Ledger{ApplyMethod: "unchanged"},
			edits: edits{"v1": method("csa"), "back": func(s *story) { s.ledger.Revisions = s.ledger.Revisions[2:] }},
			says:  []string{"revision 3: expected apply method csa (unchanged), seen ssa"},
		},
		{name: "never stored", edits: empty, want: inconclusive, spec: &v1alpha1.Ledger{}, says: []string{"never held a revision of shop"}},
		{name: "empty as stated", edits: edits{"back": func(s *story) { s.ledger.Revisions = nil }}, want: passed, spec: &v1alpha1.Ledger{Deployed: number(0)}},
		{
			name: "vanished", edits: edits{"back": func(s *story) { s.ledger.Revisions = nil }}, want: failed, spec: &v1alpha1.Ledger{},
			says: []string{`Helm's storage holds no revision of shop since step "back"`},
		},
		{
			name: "unchanged without a revision", want: inconclusive, spec: &v1alpha1.Ledger{ApplyMethod: "unchanged", Deployed: number(0)},
			edits: edits{
				"instead of v1": nothing, "instead of scaled": nothing, "instead of v2": nothing,
				"instead of back": func(s *story) { s.ledger.Revisions = []evidence.Revision{} },
			},
			says: []string{"there is no revision whose apply method could be told"},
		},
	})
}
