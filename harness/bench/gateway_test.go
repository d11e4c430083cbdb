package bench_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/harness/runner"
)

// BenchmarkShopGateway rehearses the shop with all of Helm's requests through the gateway, and with none, in turns on one
// cluster.
func BenchmarkShopGateway(b *testing.B) {
	s := newSite(b)
	plans := s.load("testdata/shop.yaml")
	s.timeShop(plans) // fills what is cached

	type times struct{ operations, steps, cpu sample }
	var through, straight times
	round := func(into *times, cfg runner.Config) func() {
		cfg.Attached, cfg.Parallel = staying{s.cluster}, 1
		return func() {
			before := cpuOf(b, syscall.RUSAGE_SELF)
			run, dir := s.rehearse(cfg, plans)
			steps, operations := s.stepsOf(filepath.Join(dir, run.Variants[0].Dir))
			into.cpu = append(into.cpu, cpuOf(b, syscall.RUSAGE_SELF)-before)
			into.steps, into.operations = append(into.steps, steps), append(into.operations, operations)
		}
	}
	inTurns(b, round(&through, runner.Config{}), round(&straight, runner.Config{Straight: true}))
	b.ReportMetric(through.steps.over(straight.steps), "gateway/straight")
	line := func(what string, of func(times) sample, budget float64) row {
		return row{what, []string{of(through).String(), of(straight).String()}, of(through).over(of(straight)), budget}
	}
	b.Log(table{
		title:   "install, scale, upgrade, rollback of shop, " + about(through.steps),
		columns: []string{"gateway", "straight"},
		rows: []row{
			line("steps, all evidence on", func(t times) sample { return t.steps }, 1.05),
			line("operations alone", func(t times) sample { return t.operations }, 0),
			line("CPU of rehearse and simulated kubelets", func(t times) sample { return t.cpu }, 0),
		},
	})
}
