package release_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// TestBrokenRevisions checks that each toggle of the shop chart breaks an upgrade in the way that its README says.
func TestBrokenRevisions(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sdk := s.open(t, "shop")
	must(t, sdk.Install(t.Context(), install(nil)))
	for _, test := range []struct {
		toggle string
		want   string // part of the error
	}{
		{"hook", "pre-upgrade hooks failed: resource Job/" + s.namespace + "/migrate not ready. status: Failed"},
		{"invalid", "must be between 1 and 65535"},
		{"unknownField", ".spec.replicaz: field not declared in schema"},
		{"selector", "field is immutable"},
		{"clusterIP", "may not change once set"},
		{"duplicateEnv", "duplicate entries for key"},
		{"render", "this chart does not render"},
	} {
		fails(t, sdk.Upgrade(t.Context(), upgrade(values{"tag": test.toggle, "break": values{test.toggle: true}})), test.want)
	}
	// A revision that does not render is not stored.
	s.wantLedger(t, "deployed ssa", "failed ssa", "failed ssa", "failed ssa", "failed ssa", "failed ssa", "failed ssa")
	must(t, sdk.Rollback(t.Context(), v1alpha1.Rollback{To: 1}))
}

// TestDuplicateEnv checks the other half: client-side apply takes it.
func TestDuplicateEnv(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	spec := install(values{"break": values{"duplicateEnv": true}}, func(i *v1alpha1.Install) { i.ServerSide = "false" })
	must(t, s.open(t, "shop").Install(t.Context(), spec))
	s.wantLedger(t, "deployed csa")
}
