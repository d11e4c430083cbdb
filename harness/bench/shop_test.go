package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/runner"
)

// BenchmarkShop installs, scales, upgrades and rolls back the chart shop: with rehearse, all evidence on, and with a
// shell script that calls the helm CLI and kubectl and waits for the same things. They take turns on one cluster with
// Helm's SDK alone, which shows what no harness could do without.
func BenchmarkShop(b *testing.B) {
	s := newSite(b)
	plans := s.load("testdata/shop.yaml")
	script := newScript(s, "testdata/shop.sh", "../../charts/shop")
	// The first round fills what is cached: discovery on disk for the script, the programs' code for both.
	s.timeShop(plans)
	s.inNamespace(script.run)

	var steps, operations, whole, ourCPU, sdk, theirs, theirCPU sample
	inTurns(b, func() {
		before := cpuOf(b, syscall.RUSAGE_SELF)
		t := s.timeShop(plans)
		ourCPU = append(ourCPU, cpuOf(b, syscall.RUSAGE_SELF)-before)
		steps, operations, whole = append(steps, t.steps), append(operations, t.operations), append(whole, t.whole)
	}, func() {
		sdk = append(sdk, s.inNamespace(func(namespace string) { s.bare(plans[0], namespace) }))
	}, func() {
		before := cpuOf(b, syscall.RUSAGE_CHILDREN)
		theirs = append(theirs, s.inNamespace(script.run))
		theirCPU = append(theirCPU, cpuOf(b, syscall.RUSAGE_CHILDREN)-before)
	})
	b.ReportMetric(steps.over(theirs), "rehearse/script")
	b.Log(table{
		title:   "install, scale, upgrade, rollback of shop, " + about(steps),
		columns: []string{"rehearse", "helm and kubectl"},
		rows: []row{
			{"steps, all evidence on", []string{steps.String(), theirs.String()}, steps.over(theirs), 0.8},
			{"operations alone, without the snapshots after them", []string{operations.String(), ""}, operations.over(theirs), 0},
			{"Helm's SDK in one process, no evidence", []string{sdk.String(), ""}, sdk.over(theirs), 0},
			{"whole variant, from its namespace to its reports", []string{whole.String(), ""}, whole.over(theirs), 0},
			{"CPU of rehearse and simulated kubelets; of the CLIs", []string{ourCPU.String(), theirCPU.String()}, ourCPU.over(theirCPU), 0},
		},
	})
}

// shopTimes are how long a rehearsal's operations took, its steps with the evidence after each, and all of it.
type shopTimes struct{ operations, steps, whole time.Duration }

// timeShop rehearses the one plan on the running cluster.
func (s *site) timeShop(plans []plan.Plan) shopTimes {
	s.Helper()
	began := time.Now()
	run, dir := s.rehearse(runner.Config{Attached: staying{s.cluster}, Parallel: 1}, plans)
	t := shopTimes{whole: time.Since(began)}
	t.steps, t.operations = s.stepsOf(filepath.Join(dir, run.Variants[0].Dir))
	return t
}

// script is a shell script that works in a namespace.
type script struct {
	*testing.B
	path string
	env  []string
}

// newScript prepares a script with the peers in its path, and with a home of its own that stays from run to run, so that
// the programs keep what they have cached.
func newScript(s *site, path, chart string) script {
	s.Helper()
	chart, err := filepath.Abs(chart)
	if err != nil {
		s.Fatal(err)
	}
	return script{s.B, path, []string{
		"PATH=" + buildPeers(s.B) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + s.TempDir(),
		"KUBECONFIG=" + s.cluster.KubeconfigPath(),
		"CHART=" + chart,
	}}
}

func (s script) run(namespace string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), "/bin/sh", s.path)
	cmd.Env = append(s.env, "NAMESPACE="+namespace)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("%s: %v\n%s", s.path, err, out)
	}
}
