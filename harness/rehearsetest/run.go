// Package rehearsetest runs scenarios inside `go test`: by themselves, or as features of sigs.k8s.io/e2e-framework. It
// is the one package outside tests that knows package testing. Driver cli wants a line in TestMain, see OwnHelm.
package rehearsetest

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

// Option changes how Run works.
type Option func(*options)

type options struct {
	attached cluster.Cluster
	dir      string
	seed     int64
	parallel int
	provider string
	helm     Helm
}

// WithCluster runs the scenarios that can share a cluster on c, which is left running.
func WithCluster(c cluster.Cluster) Option { return func(o *options) { o.attached = c } }

// WithDir keeps the evidence in dir, which must not exist or be empty; without it, it goes when the test ends.
func WithDir(dir string) Option { return func(o *options) { o.dir = dir } }

// WithSeed replaces the scenarios' seeds.
func WithSeed(seed int64) Option { return func(o *options) { o.seed = seed } }

// WithParallel runs so many variants at once; without it, one.
func WithParallel(n int) Option { return func(o *options) { o.parallel = n } }

// WithProvider has clusters made by this provider instead of the one that the scenarios name: "embedded" or "kind".
func WithProvider(name string) Option { return func(o *options) { o.provider = name } }

// Run rehearses the scenarios in paths (files, folders, globs) and makes a subtest of every variant, and of every step
// and assertion in it. What failed, errored or was inconclusive fails its subtest. It returns the outcome.
func Run(t *testing.T, paths []string, opts ...Option) verdict.Run {
	t.Helper()
	o := options{dir: t.TempDir(), parallel: 1}
	for _, opt := range opts {
		opt(&o)
	}
	plans := load(t, paths, o)
	cfg := runner.Config{
		ID:        "gotest-" + strings.ToLower(rand.Text()[:6]),
		Dir:       o.dir,
		Providers: runner.Registered(providers.Options{FailureLogs: filepath.Join(o.dir, runner.ClustersFolder)}),
		Attached:  o.attached,
		OwnHelm:   o.helm.path,
		Parallel:  o.parallel,
		Args:      append([]string{"rehearsetest"}, paths...),
		Seed:      o.seed,
	}
	out, err := runner.Run(t.Context(), cfg, plans)
	if err != nil {
		t.Fatal(err)
	}
	if out.CleanupErr != "" {
		t.Errorf("clean-up is incomplete: %s", out.CleanupErr)
	}
	for _, v := range out.Variants {
		t.Run(v.ID(), func(t *testing.T) { variant(t, v, filepath.Join(o.dir, v.Dir)) })
	}
	return out
}

func load(t *testing.T, paths []string, o options) []plan.Plan {
	t.Helper()
	files, err := scenario.Load(paths, runner.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	var plans []plan.Plan
	for _, file := range files {
		compiled, err := plan.Compile(file, plan.Options{Seed: o.seed, Provider: o.provider})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, compiled...)
	}
	attached := ""
	if o.attached != nil {
		attached = o.attached.Version()
	}
	plans, err = runner.Prepare(t.Context(), plans, runner.Surroundings{CacheDir: t.TempDir(), Attached: attached})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// variant reports one variant's verdicts.
func variant(t *testing.T, v verdict.Variant, evidence string) {
	t.Helper()
	if v.Status == verdict.Skipped && v.Reason != "" {
		t.Skip(v.Reason)
	}
	for _, judged := range v.Verdicts {
		t.Run(judged.Name, func(t *testing.T) {
			switch judged.Status {
			case verdict.Passed:
			case verdict.Skipped:
				t.Skip(judged.Message)
			default:
				t.Errorf("%s:%d: %s: %s (evidence in %s)", judged.File, judged.Line, judged.Status, judged.Message, evidence)
			}
		})
	}
	if v.Reason != "" {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}
