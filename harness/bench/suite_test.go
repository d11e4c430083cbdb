package bench_test

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/runner"
)

// What BenchmarkSuite runs.
const (
	scenarios = 50
	parallel  = 8
	// early is the number of scenarios after which memory is looked at first: a harness that lets go of what it has judged
	// needs little more for all of them.
	early = 10
)

// BenchmarkSuite runs fifty short scenarios, eight at a time, on one cluster, and tells who used what. The simulated
// kubelets run in the harness's process and count as the harness.
func BenchmarkSuite(b *testing.B) {
	var all []suiteRound
	for b.Loop() {
		all = append(all, runSuite(b))
	}
	of := func(get func(suiteRound) time.Duration) sample {
		var s sample
		for _, r := range all {
			s = append(s, get(r))
		}
		return s
	}
	size := func(get func(suiteRound) int64) int64 {
		var sizes []int64
		for _, r := range all {
			sizes = append(sizes, get(r))
		}
		return median(sizes)
	}
	wall := of(func(r suiteRound) time.Duration { return r.wall })
	harness := of(func(r suiteRound) time.Duration { return r.harness })
	plane := of(suiteRound.total)
	share := median(harness).Seconds() / (median(harness) + median(plane)).Seconds()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all[0].plane)) {
		part := of(func(r suiteRound) time.Duration { return r.plane[name] })
		parts = append(parts, name+" "+seconds(median(part)))
	}
	peaks := [2]int64{size(func(r suiteRound) int64 { return r.early.peak }), size(func(r suiteRound) int64 { return r.end.peak })}
	live := [2]int64{size(func(r suiteRound) int64 { return r.early.live }), size(func(r suiteRound) int64 { return r.end.live })}
	b.ReportMetric(share, "harness/cpu")
	b.Log(table{
		title:   fmt.Sprintf("%d scenarios, %d at a time, on one cluster, %s", scenarios, parallel, about(wall)),
		columns: []string{"harness", "control plane"},
		rows: []row{
			{"wall", []string{wall.String(), ""}, 0, 0},
			{"CPU, and the harness's share of all", []string{harness.String(), plane.String()}, share, 0.25},
			{fmt.Sprintf("peak memory after %d, %d", early, scenarios), []string{mebibytes(peaks[0]) + ", " + mebibytes(peaks[1]), "at most " + mebibytes(size(func(r suiteRound) int64 { return r.planePeak }))}, float64(peaks[1]) / float64(peaks[0]), 0},
			{fmt.Sprintf("live heap after %d, %d", early, scenarios), []string{mebibytes(live[0]) + ", " + mebibytes(live[1]), ""}, float64(live[1]) / float64(live[0]), 0},
		},
	}, "\ncontrol plane: "+strings.Join(parts, ", "))
}

// suiteRound is what one round used.
type suiteRound struct {
	wall, harness time.Duration
	plane         map[string]time.Duration // CPU by component
	planePeak     int64                    // bytes
	early, end    memory
}

func (r suiteRound) total() time.Duration {
	var total time.Duration
	for _, cpu := range r.plane {
		total += cpu
	}
	return total
}

// memory is what this process holds.
type memory struct {
	peak int64 // resident at most so far
	live int64 // reachable on the heap
}

func runSuite(b *testing.B) suiteRound {
	b.Helper()
	s := newSite(b)
	defer s.close()
	plans := s.manyOf(s.load("testdata/shop.yaml")[0], scenarios)
	var r suiteRound
	var mu sync.Mutex
	finished := 0
	onEvent := func(e progress.Event) {
		if e.Kind != progress.Finished || e.Variant == "" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch finished++; finished {
		case early:
			r.early = s.memory()
		case scenarios:
			r.end = s.memory()
		}
	}
	runtime.GC()
	forgetPeak()
	r.plane, _ = s.planeUsage()
	harness, began := cpuOf(b, syscall.RUSAGE_SELF), time.Now()
	s.rehearse(runner.Config{Providers: runner.Always(ready{s.cluster}), Parallel: parallel, Progress: listener(onEvent)}, plans)
	r.wall, r.harness = time.Since(began), cpuOf(b, syscall.RUSAGE_SELF)-harness
	after, peak := s.planeUsage()
	r.planePeak = peak
	for name, cpu := range after {
		r.plane[name] = cpu - r.plane[name]
	}
	return r
}

// manyOf makes scenarios that differ in their names alone.
func (s *site) manyOf(p plan.Plan, n int) []plan.Plan {
	var plans []plan.Plan
	for i := range n {
		p.Scenario.Metadata.Name = fmt.Sprintf("shop-%d", i+1)
		plans = append(plans, p)
	}
	return plans
}

// planeUsage returns the CPU time of each component of the control plane, and the sum of the most memory that each has held.
func (s *site) planeUsage() (cpu map[string]time.Duration, peak int64) {
	s.Helper()
	cpu = map[string]time.Duration{}
	for name, pid := range s.cluster.PIDs() {
		u, err := usageOf(pid)
		if err != nil {
			s.Fatal(err)
		}
		cpu[name] = u.cpu
		peak += u.peak
	}
	return cpu, peak
}

func (s *site) memory() memory {
	u, err := usageOf(os.Getpid())
	if err != nil {
		s.Error(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{u.peak, int64(m.HeapAlloc)}
}
