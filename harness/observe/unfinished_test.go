package observe_test

import (
	"slices"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/eventually"
)

// TestUnfinished: what is not Current is told with its reason, but not what another object controls.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	s := stage(t)
	unfinished := func() []string {
		var all []string
		for _, u := range s.sub.Unfinished() {
			if u.Status != "InProgress" || u.Message == "" {
				t.Errorf("%s is %s: %q", u.Ref, u.Status, u.Message)
			}
			all = append(all, u.Ref.String())
		}
		return all
	}
	s.create("configmaps", configMap("settled"))
	s.create("pods", waitingPod)
	s.create("deployments.v1.apps", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: app},
  spec: {selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app}},
    spec: {schedulerName: none, containers: [{name: app, image: app}]}}}}`)
	eventually.Holds(t, "the deployment has a ReplicaSet", func() bool {
		return slices.ContainsFunc(s.snapshot(), func(name string) bool { return strings.HasPrefix(name, "ReplicaSet/") })
	})
	if got, want := unfinished(), []string{"Deployment/app", "Pod/web"}; !slices.Equal(got, want) {
		t.Errorf("not Current: %q, want %q", got, want)
	}
	s.patch("pods", "web", podPhase("Running", "True"), "status")
	s.delete("deployments.v1.apps", "app")
	s.snapshot()
	if got := unfinished(); len(got) > 0 {
		t.Errorf("still not Current: %q", got)
	}
}
