package runner

import (
	"path/filepath"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/progress"
)

// reviving is a cluster that starts components again, as far as it tells.
type reviving struct {
	*borrowed

	mu  sync.Mutex
	all []cluster.Restart
}

var _ cluster.Resilient = (*reviving)(nil)

func (r *reviving) restart(component string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, cluster.Restart{Component: component, Reason: "it ended"})
}

func (r *reviving) Restarts() ([]cluster.Restart, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all, nil
}

// TestRestarts: the evidence and the user are told of each component that was started again, once, in the step in which
// that was; those from before are none of the variant's.
func TestRestarts(t *testing.T) {
	t.Parallel()
	c := &reviving{borrowed: borrow(t)}
	c.restart("kube-before")
	var said []string
	cfg := Config{Providers: Always(lends(c)), Parallel: 1, Progress: told(func(e progress.Event) {
		switch e.Kind {
		case progress.StepStarted:
			c.restart("kube-" + e.Name)
		case progress.Said:
			said = append(said, e.Detail)
		}
	})}
	out, dir := performIn(t, t.Context(), cfg, prepare(t, map[string]string{
		"restarts": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}, {name: v2, upgrade: {}}]\n",
	}, nil))
	bundle, err := evidence.Load(filepath.Join(dir, out.Variants[0].Dir))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]evidence.Restart{}
	for _, e := range bundle.Timeline {
		if e.Restart != nil {
			got[e.Step] = append(got[e.Step], *e.Restart)
		}
	}
	want := map[string][]evidence.Restart{
		"v1": {{Component: "kube-v1", Reason: "it ended"}}, "v2": {{Component: "kube-v2", Reason: "it ended"}},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{
		"note: the cluster's kube-v1 was started again: it ended", "note: the cluster's kube-v2 was started again: it ended",
	}, said); diff != "" {
		t.Error(diff)
	}
}
