package bench_test

import (
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/runner"
)

// BenchmarkMany installs, upgrades and rolls back a release of 1,000 objects with and without evidence. Before that it
// holds the evidence against watches of its own: not a single version may be missing.
func BenchmarkMany(b *testing.B) {
	s := newSite(b)
	plans := s.load("testdata/many.yaml")
	s.checkMany(plans)

	var steps, operations, bare sample
	inTurns(b, func() {
		dir := s.many(plans)
		all, own := s.stepsOf(dir)
		steps, operations = append(steps, all), append(operations, own)
	}, func() {
		bare = append(bare, s.inNamespace(func(namespace string) { s.bare(plans[0], namespace) }))
	})
	b.ReportMetric(steps.over(bare), "evidence/none")
	b.Log(table{
		title:   "install, upgrade, rollback of 1,000 objects, " + about(steps),
		columns: []string{"with evidence", "without"},
		rows: []row{
			{"operations, watched", []string{operations.String(), bare.String()}, operations.over(bare), 1.1},
			{"steps, with their snapshots", []string{steps.String(), ""}, steps.over(bare), 0},
		},
	})
}

// many rehearses the plan and returns the bundle's folder.
func (s *site) many(plans []plan.Plan) string {
	s.Helper()
	run, dir := s.rehearse(runner.Config{Attached: staying{s.cluster}, Parallel: 1}, plans)
	return filepath.Join(dir, run.Variants[0].Dir)
}

// checkMany rehearses the plan once under watches that are not the harness's.
func (s *site) checkMany(plans []plan.Plan) {
	s.Helper()
	w := s.witness("many-")
	bundle, err := evidence.Load(s.many(plans))
	if err != nil {
		s.Fatal(err)
	}
	held := map[version]bool{}
	for _, e := range bundle.Timeline {
		switch {
		case e.Gap != nil:
			s.Errorf("gap in the evidence: %s: %s", e.Gap.Resource, e.Gap.Reason)
		case e.Object != nil:
			held[version{e.Object.Ref.UID, e.Object.ResourceVersion}] = true
		}
	}
	saw := w.upTo(s.Context(), newest(bundle))
	missed := slices.DeleteFunc(slices.Clone(saw), func(v version) bool { return held[v] })
	if len(saw) < 3000 || len(missed) > 0 {
		s.Fatalf("of %d object versions the evidence lacks %d: %v", len(saw), len(missed), missed[:min(10, len(missed))])
	}
	s.Logf("the evidence holds each of the %d object versions that other watches saw", len(saw))
}

// newest returns the highest resourceVersion in the bundle's last snapshot, which holds all that was written before.
func newest(b *evidence.Bundle) string {
	last := ""
	for _, object := range b.Snapshots[len(b.Snapshots)-1].Objects {
		u := unstructured.Unstructured{Object: object}
		if last == "" || later(u.GetResourceVersion(), last) {
			last = u.GetResourceVersion()
		}
	}
	return last
}

func later(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c > 0
}
