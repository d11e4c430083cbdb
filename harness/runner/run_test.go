package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/verdict"
)

// errNoCluster is what providers return that make none.
var errNoCluster = errors.New("out of clusters")

// perform runs plans with a folder of its own.
func perform(t *testing.T, ctx context.Context, cfg Config, plans []plan.Plan) verdict.Run {
	t.Helper()
	out, _ := performIn(t, ctx, cfg, plans)
	return out
}

// performIn is perform, and returns the run's folder too.
func performIn(t *testing.T, ctx context.Context, cfg Config, plans []plan.Plan) (out verdict.Run, dir string) {
	t.Helper()
	cfg.ID = "20260314-101502-" + strings.ToLower(rand.Text()[:6]) // tests share clusters, and namespaces are named after it
	cfg.Dir = filepath.Join(t.TempDir(), cfg.ID)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.OwnHelm = self
	if out, err = Run(ctx, cfg, plans); err != nil {
		t.Fatal(err)
	}
	return out, cfg.Dir
}

// several are plans s1, s2, … with clusters of their own.
func several(t *testing.T, n int, isolation string) []plan.Plan {
	t.Helper()
	specs := map[string]string{}
	for i := range n {
		specs[fmt.Sprintf("s%d", i+1)] = "  cluster: {isolation: " + isolation + "}\n  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"
	}
	return compile(t, specs, nil)
}

func statuses(run verdict.Run) []string {
	var all []string
	for _, v := range run.Variants {
		all = append(all, v.Scenario+" "+string(v.Status))
	}
	return all
}

// TestParallel: as many variants as allowed run at once, never more, and the outcomes are in the plans' order.
func TestParallel(t *testing.T) {
	t.Parallel()
	const parallel, variants = 3, 9
	var mu sync.Mutex
	inside, most := 0, 0
	full := make(chan struct{})
	gather := sync.OnceFunc(func() {
		time.AfterFunc(200*time.Millisecond, func() { close(full) }) // so that one too many would be seen
	})
	boot := provider(func(ctx context.Context, _ cluster.Spec) (cluster.Cluster, error) {
		mu.Lock()
		inside++
		most = max(most, inside)
		if inside == parallel {
			gather()
		}
		mu.Unlock()
		select { // nobody goes on before all are here
		case <-full:
		case <-ctx.Done():
		}
		mu.Lock()
		defer mu.Unlock()
		inside--
		return nil, errNoCluster
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := perform(t, ctx, Config{Providers: Always(boot), Parallel: parallel}, several(t, variants, "cluster"))
	if most != parallel {
		t.Errorf("%d variants ran at once, want %d", most, parallel)
	}
	var want []string
	for i := range variants {
		want = append(want, fmt.Sprintf("s%d errored", i+1))
	}
	if diff := cmp.Diff(want, statuses(out)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestNoCluster: a cluster that does not boot is a failure of the harness, told by every variant that needs it and tried
// once.
func TestNoCluster(t *testing.T) {
	t.Parallel()
	for isolation, boots := range map[string]int{"namespace": 1, "cluster": 3} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			booted := 0
			boot := provider(func(context.Context, cluster.Spec) (cluster.Cluster, error) {
				booted++
				return nil, errNoCluster
			})
			out := perform(t, t.Context(), Config{Providers: Always(boot), Parallel: 1}, several(t, 3, isolation))
			if booted != boots {
				t.Errorf("tried to boot %d clusters, want %d", booted, boots)
			}
			if out.Status != verdict.Errored || out.ExitCode != verdict.ExitErrored || out.CleanupErr != "" {
				t.Errorf("run: %s, exit code %d, clean-up %q", out.Status, out.ExitCode, out.CleanupErr)
			}
			for _, v := range out.Variants {
				if v.Status != verdict.Errored || !strings.Contains(v.Reason, errNoCluster.Error()) {
					t.Errorf("%s is %s: %s", v.Scenario, v.Status, v.Reason)
				}
			}
		})
	}
}

func TestFailFast(t *testing.T) {
	t.Parallel()
	fails := provider(func(context.Context, cluster.Spec) (cluster.Cluster, error) { return nil, errNoCluster })
	for _, test := range []struct {
		failFast bool
		want     []string
	}{
		{false, []string{"s1 errored", "s2 errored", "s3 errored"}},
		{true, []string{"s1 errored", "s2 skipped", "s3 skipped"}},
	} {
		out := perform(t, t.Context(), Config{Providers: Always(fails), Parallel: 1, FailFast: test.failFast}, several(t, 3, "cluster"))
		if diff := cmp.Diff(test.want, statuses(out)); diff != "" {
			t.Errorf("fail fast %t (-want +got):\n%s", test.failFast, diff)
		}
		if last := out.Variants[2]; test.failFast && !strings.Contains(last.Reason, "--fail-fast") {
			t.Errorf("no reason for the skip: %q", last.Reason)
		}
	}
}

// TestInterrupted: what has not begun is skipped, and the exit code says why.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	boot := provider(func(ctx context.Context, _ cluster.Spec) (cluster.Cluster, error) {
		interrupt()
		return nil, ctx.Err()
	})
	lingered := false
	cfg := Config{Providers: Always(boot), Parallel: 1, Keep: true, Linger: func(context.Context, verdict.Run, []Kept) { lingered = true }}
	out, dir := performIn(t, ctx, cfg, several(t, 3, "cluster"))
	if diff := cmp.Diff([]string{"s1 errored", "s2 skipped", "s3 skipped"}, statuses(out)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if out.ExitCode != verdict.ExitInterrupted || lingered {
		t.Errorf("exit code %d, lingered: %t", out.ExitCode, lingered)
	}
	if last := out.Variants[2]; !strings.Contains(last.Reason, "interrupted") {
		t.Errorf("no reason for the skip: %q", last.Reason)
	}
	if again, err := Rejudge(dir, Catalog(), nil); err != nil || !again.Interrupted {
		t.Errorf("a later judge is not told that it was interrupted: %v", err)
	}
}

// TestRunFolder: a folder that cannot be made, or that holds evidence already, is an error and no verdict.
func TestRunFolder(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Config{ID: "x", Dir: "/dev/null/x", Parallel: 1}, several(t, 1, "cluster"))
	if err == nil || !strings.Contains(err.Error(), "run's folder") {
		t.Errorf("Run returned %v", err)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		variants    []verdict.Status
		cleanup     string
		interrupted bool
		status      verdict.Status
		code        int
	}{
		"all passed":                {variants: []verdict.Status{verdict.Passed, verdict.Passed}, status: verdict.Passed, code: 0},
		"skipped among passed":      {variants: []verdict.Status{verdict.Passed, verdict.Skipped}, status: verdict.Passed, code: 0},
		"failed over errored":       {variants: []verdict.Status{verdict.Errored, verdict.Failed, verdict.Inconclusive}, status: verdict.Failed, code: 1},
		"errored over inconclusive": {variants: []verdict.Status{verdict.Errored, verdict.Inconclusive, verdict.Passed}, status: verdict.Errored, code: 3},
		"inconclusive over passed":  {variants: []verdict.Status{verdict.Inconclusive, verdict.Passed}, status: verdict.Inconclusive, code: 4},
		"nothing at all":            {status: verdict.Inconclusive, code: 4},
		"leftovers":                 {variants: []verdict.Status{verdict.Passed}, cleanup: "a namespace", status: verdict.Passed, code: 5},
		"leftovers of a failure":    {variants: []verdict.Status{verdict.Failed}, cleanup: "a namespace", status: verdict.Failed, code: 1},
		"interrupted":               {variants: []verdict.Status{verdict.Passed}, interrupted: true, status: verdict.Passed, code: 130},
		"interrupted and failed":    {variants: []verdict.Status{verdict.Failed}, interrupted: true, status: verdict.Failed, code: 130},
		"interrupted and leftovers": {variants: []verdict.Status{verdict.Failed}, cleanup: "a namespace", interrupted: true, status: verdict.Failed, code: 5},
	} {
		run := verdict.Run{CleanupErr: test.cleanup}
		for _, s := range test.variants {
			run.Variants = append(run.Variants, verdict.Variant{Status: s})
		}
		if got := finish(run, test.interrupted); got.Status != test.status || got.ExitCode != test.code || got.Interrupted != test.interrupted {
			t.Errorf("%s: %s with exit code %d, interrupted %t, want %s with %d", name, got.Status, got.ExitCode, got.Interrupted, test.status, test.code)
		}
	}
}

// TestFolders: every variant has a folder of its own.
func TestFolders(t *testing.T) {
	t.Parallel()
	plans := compile(t, map[string]string{
		"s1": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n",
		"s2": "  release: {name: r, chart: tiny}\n  matrix: {serverSide: [auto, true], maxHistory: [0, 3]}\n  steps: [{name: v1, install: {}}]\n",
	}, nil)
	var dirs []string
	for i, p := range plans {
		dirs = append(dirs, (&run{cfg: Config{ID: "x"}}).newJob(p, i+1).dir)
	}
	want := []string{
		"s1", "s2/maxHistory-0+serverSide-auto", "s2/maxHistory-0+serverSide-true", "s2/maxHistory-3+serverSide-auto", "s2/maxHistory-3+serverSide-true",
	}
	for i := range want {
		want[i] = filepath.FromSlash(want[i])
	}
	if !slices.Equal(dirs, want) {
		t.Errorf("folders %q, want %q", dirs, want)
	}
}
