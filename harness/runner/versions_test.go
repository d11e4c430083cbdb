package runner

import (
	"testing"

	"rehearse.dev/rehearse/harness/verdict"
)

// older is a borrowed cluster of another Kubernetes version.
type older struct{ *borrowed }

func (older) Version() string { return "v1.30.2" }

// TestKubernetesVersion: a run tells the version of the clusters that it had, also when it is judged again.
func TestKubernetesVersion(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{"s": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"}, nil)
	cfg := Config{Providers: Always(lends(older{borrow(t)})), Parallel: 1, Versions: map[string]string{"helm": "v4"}}
	out, dir := performIn(t, t.Context(), cfg, plans)
	again, err := Rejudge(dir, Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for how, run := range map[string]verdict.Run{"first": out, "again": again} {
		if run.Versions["kubernetes"] != "v1.30.2" || run.Versions["helm"] != "v4" || run.Variants[0].Kubernetes != "v1.30.2" || run.Variants[0].Helm != "v4" {
			t.Errorf("judged %s: versions %v, the variant's %q and Helm %q", how, run.Versions, run.Variants[0].Kubernetes, run.Variants[0].Helm)
		}
	}
	if len(cfg.Versions) != 1 {
		t.Errorf("what the run was given was changed: %v", cfg.Versions)
	}
	both := finish(verdict.Run{Variants: []verdict.Variant{{Kubernetes: "v1.36.3"}, {}, {Kubernetes: "v1.30.2"}, {Kubernetes: "v1.36.3"}}}, false)
	if got := both.Versions["kubernetes"]; got != "v1.30.2, v1.36.3" {
		t.Errorf("several: %q", got)
	}
}
