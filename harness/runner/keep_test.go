package runner

import (
	"context"
	"errors"
	"slices"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
)

// TestCleaningUp: what takes a while at the end is named; what goes with its cluster is nothing to wait for.
func TestCleaningUp(t *testing.T) {
	t.Parallel()
	leaving := func(namespace string, noted *journal.Entry) *stage {
		return &stage{arena: &arena{}, noted: noted, scope: observe.Scope{Namespace: namespace}}
	}
	lasting, passing := leaving("rh-a", &journal.Entry{}), leaving("rh-b", nil)
	for want, all := range map[string][]*stage{
		"cleaning up": {passing},
		"cleaning up: waiting for namespace rh-a to go": {passing, lasting},
		"cleaning up: waiting for 2 namespaces to go":   {lasting, passing, lasting},
	} {
		if got := cleaningUp(all); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestPreparing: that a cluster is ready is not the last word before its rehearsals begin, unless it could not be made.
func TestPreparing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, failure := range []error{nil, broken} {
		var said []string
		tell := progress.For(told(func(e progress.Event) { said = append(said, e.Detail) }), "")
		makes := provider(func(_ context.Context, spec cluster.Spec) (cluster.Cluster, error) {
			spec.Progress("made")
			return nil, failure
		})
		p, err := preparing(Always(makes), tell)(plan.Needs{})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"made"}
		if failure == nil {
			want = append(want, "preparing the cluster")
		}
		if _, err := p.Create(t.Context(), cluster.Spec{Progress: tell.WaitingFor}); !errors.Is(err, failure) || !slices.Equal(said, want) {
			t.Errorf("said %q, want %q (%v)", said, want, err)
		}
	}
}
