package readiness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/ref"
)

func seconds(n float64) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n * float64(time.Second))}
}

func flap(ready, notReady float64, times int) *v1alpha1.Flap {
	return &v1alpha1.Flap{Ready: *seconds(ready), NotReady: *seconds(notReady), Times: times}
}

// TestPlay plays schedules in a bubble of simulated time.
func TestPlay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule  v1alpha1.ReadinessRule
		bound time.Duration
		want  string
	}{
		"no rule":        {v1alpha1.ReadinessRule{}, time.Minute, "0s released"},
		"delay":          {v1alpha1.ReadinessRule{Delay: seconds(2)}, time.Minute, "0s held, 2s released"},
		"cut short":      {v1alpha1.ReadinessRule{Delay: seconds(2)}, time.Second, "0s held"},
		"never":          {v1alpha1.ReadinessRule{Never: true, Delay: seconds(2)}, time.Hour, "0s held"},
		"told to fail":   {v1alpha1.ReadinessRule{Fail: true}, time.Hour, "0s held"},
		"flap twice":     {v1alpha1.ReadinessRule{Flap: flap(3, 1, 2)}, time.Minute, "0s released, 3s withdrawn, 4s released, 7s withdrawn, 8s released"},
		"flap for ever":  {v1alpha1.ReadinessRule{Flap: flap(3, 1, 0)}, 11500 * time.Millisecond, "0s released, 3s withdrawn, 4s released, 7s withdrawn, 8s released, 11s withdrawn"},
		"delay and flap": {v1alpha1.ReadinessRule{Delay: seconds(1), Flap: flap(0.5, 0.25, 1)}, time.Minute, "0s held, 1s released, 1.5s withdrawn, 1.75s released"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.bound)
				defer cancel()
				var got []string
				start := time.Now()
				rules := Rules{Rules: []v1alpha1.ReadinessRule{tc.rule}}
				play(ctx, schedule(tc.rule, rules.delay(0, "Deployment/x", 0)), func(d decision) error {
					if time.Since(start) != d.after {
						t.Errorf("%s came after %s, not %s", d.what, time.Since(start), d.after)
					}
					got = append(got, fmt.Sprint(d.after, " ", d.what))
					return nil
				})
				if got := strings.Join(got, ", "); got != tc.want {
					t.Errorf("got %s\nwant %s", got, tc.want)
				}
			})
		})
	}
}

// TestPlayWaitsForThePod counts a flapping pod's time from when it has followed, not from the decision.
func TestPlayWaitsForThePod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		play(t.Context(), schedule(v1alpha1.ReadinessRule{Flap: flap(3, 1, 1)}, 2*time.Second), func(d decision) error {
			got = append(got, fmt.Sprint(d.after, " ", d.what))
			time.Sleep(500 * time.Millisecond)
			return nil
		})
		if got, want := strings.Join(got, ", "), "0s held, 2s released, 5.5s withdrawn, 7s released"; got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

func TestJitterReplays(t *testing.T) {
	t.Parallel()
	draw := func(seed int64, workload string) []time.Duration {
		rules := Rules{Seed: seed, Rules: []v1alpha1.ReadinessRule{{Delay: seconds(2), Jitter: seconds(1)}}}
		var list []time.Duration
		for nth := range 50 {
			list = append(list, rules.delay(0, workload, nth))
		}
		return list
	}
	first := draw(42, "Deployment/x")
	if !slices.Equal(first, draw(42, "Deployment/x")) {
		t.Error("the same seed gives other delays")
	}
	if slices.Equal(first, draw(43, "Deployment/x")) || slices.Equal(first, draw(42, "Deployment/y")) {
		t.Error("another seed or workload gives the same delays")
	}
	if low, high := slices.Min(first), slices.Max(first); low < 2*time.Second || high > 3*time.Second || high-low < 500*time.Millisecond {
		t.Errorf("delays from %s to %s; want them spread from 2s to 3s", low, high)
	}
	// A constant of the format: evidence of an old run can be replayed only while this holds.
	if want := 2*time.Second + 119193644; first[0] != want {
		t.Errorf("first delay of seed 42: %d, want %d", first[0], want)
	}
}

func TestNamespaceAnnotations(t *testing.T) {
	t.Parallel()
	rules := []v1alpha1.ReadinessRule{
		{Workload: "Job/migrate", Fail: true, Steps: []string{"v2"}},
		{Workload: "StatefulSet.apps/db", Delay: seconds(1)},
		{Workload: "Deployment/home/api", Never: true, Steps: []string{"v2"}},
		{Workload: "Deployment/home/api", Fail: true},
		{Workload: "Deployment/web"},
		{Workload: "StatefulSet/db", Flap: flap(1, 1, 0)},
	}
	for step, failing := range map[string]string{"v1": "Deployment/api", "v2": "Job/migrate", "": "Deployment/api"} {
		want := map[string]string{GatedAnnotation: "Deployment/api,StatefulSet/db", FailingAnnotation: failing}
		if diff := cmp.Diff(want, NamespaceAnnotations(rules, step)); diff != "" {
			t.Errorf("step %q: %s", step, diff)
		}
	}
	if got := NamespaceAnnotations(nil, "v1"); got != nil {
		t.Errorf("without rules: %v", got)
	}
}

func TestWorkloadOf(t *testing.T) {
	t.Parallel()
	yes := true
	for want, pod := range map[string]metav1.ObjectMeta{
		"Pod/x":          {Name: "x"},
		"StatefulSet/db": {Name: "db-0", OwnerReferences: []metav1.OwnerReference{{Kind: "Other", Name: "o"}, {Kind: "StatefulSet", Name: "db", Controller: &yes}}},
		"Deployment/a-b": {OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "a-b-7f", Controller: &yes}}, Labels: map[string]string{"pod-template-hash": "7f"}},
		"ReplicaSet/a-b": {OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "a-b", Controller: &yes}}},
		"ReplicaSet/a-7": {OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "a-7", Controller: &yes}}, Labels: map[string]string{"pod-template-hash": "8"}},
	} {
		if got := ref.OfPod(&corev1.Pod{ObjectMeta: pod}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRulesOfAnotherNamespaceAreRefused(t *testing.T) {
	t.Parallel()
	for workload, want := range map[string]string{
		"Deployment/other/x": "readiness[0]: workload Deployment/other/x is not in the scenario's namespace home",
		"nonsense":           `readiness[0]: "nonsense"`,
	} {
		err := Rules{Namespace: "home", Rules: []v1alpha1.ReadinessRule{{Workload: workload}}}.validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", workload, err, want)
		}
	}
}
