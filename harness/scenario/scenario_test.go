package scenario_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/scenario/scenariotest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestLoadFillsEveryField(t *testing.T) {
	t.Parallel()
	files, err := scenario.Load([]string{"testdata/good.yaml"}, scenariotest.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	file := files[0]
	spec := file.Scenario.Spec
	no, yes := false, true
	for what, pair := range map[string][2]any{
		"dir":       {file.Dir, "testdata"},
		"labels":    {file.Scenario.Metadata.Labels, map[string]string{"area": "ownership", "tier": "nightly"}},
		"issue":     {spec.KnownIssue, &v1alpha1.KnownIssue{Issue: "helm/helm#12345"}},
		"cluster":   {spec.Cluster, v1alpha1.Cluster{Provider: "embedded", Isolation: "namespace"}},
		"values":    {spec.Release.Values, map[string]any{"tag": "v1", "count": int64(3), "ratio": 0.5, "on": true, "none": nil, "list": []any{int64(1), "a"}}},
		"options":   {spec.Release.Options, v1alpha1.Options{ForceConflicts: &no}},
		"manager":   {spec.Release.FieldManager, "helm"},
		"matrix":    {spec.Matrix, map[string][]string{"serverSide": {"auto", "true"}, "wait": {"watcher", "legacy"}}},
		"timeouts":  {spec.Timeouts, v1alpha1.Timeouts{Step: duration(2 * time.Minute), Cleanup: duration(30 * time.Second)}},
		"readiness": {spec.Readiness[1], v1alpha1.ReadinessRule{Workload: "StatefulSet/db", RequireHeld: &yes, Delay: duration(2 * time.Second), Jitter: duration(500 * time.Millisecond)}},
		"actor":     {spec.Actors[1].Do.Spec, &v1alpha1.Patch{Object: "ConfigMap/extra", Type: "strategic", Patch: map[string]any{"data": map[string]any{"a": "b"}}}},
		"alias":     {spec.Steps[0].Do.Spec.(*v1alpha1.Install).Values, spec.Release.Values},
		"act":       {spec.Steps[1].Do, v1alpha1.Choice{Kind: "act", Spec: &v1alpha1.Act{Actor: "hpa"}}},
		"upgrade":   {spec.Steps[2].Do.Spec, &v1alpha1.Upgrade{ChartSource: v1alpha1.ChartSource{Values: map[string]any{"tag": "v2"}}, Options: v1alpha1.Options{ServerSide: "false"}}},
		"expect":    {spec.Steps[2].Expect, &v1alpha1.Expect{Error: &v1alpha1.ExpectError{Contains: "deadline"}, Status: "failed"}},
		"rollback":  {spec.Steps[3].Do.Spec, &v1alpha1.Rollback{To: 1}},
		"await":     {spec.Finally[0].Do.Spec, &v1alpha1.Await{Object: "Deployment/backend", Condition: &v1alpha1.AwaitCondition{Type: "Available", Status: "True"}}},
		"managers":  {spec.Assert[0].Do.Spec.(*v1alpha1.Ownership).Managers, []v1alpha1.Manager{{Name: "hpa", Subresource: "scale"}, {Name: "helm"}}},
		"statuses":  {spec.Assert[2].Do.Spec.(*v1alpha1.Ledger).Statuses, map[int]string{1: "superseded", 2: "failed"}},
		"lines":     {[]int{file.Lines["readiness[2]"], file.Lines["steps[2]"], file.Lines["finally[0]"], file.Lines["assert[4]"]}, []int{21, 33, 40, 50}},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// TestMistakes compares every mistake of each file in testdata/bad with its golden file.
func TestMistakes(t *testing.T) {
	t.Parallel()
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(bad) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, path := range bad {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, err := scenario.Load([]string{path}, scenariotest.Catalog())
			var mistakes scenario.Mistakes
			if !errors.As(err, &mistakes) {
				t.Fatalf("Load returned %v, not Mistakes", err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", mistakes.Error()+"\n")
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update writes it anew:\n%s", path, diff)
	}
}
