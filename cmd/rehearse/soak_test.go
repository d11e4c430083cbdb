package main

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/verdict"
)

// TestSoak ends runs by SIGINT and by SIGKILL at random points, collects what they left, and finds nothing after that.
func TestSoak(t *testing.T) {
	t.Parallel()
	times, seed := hometest.Soak(t, 4)
	t.Logf("%d runs by each signal; repeat them with %s=%d", times, hometest.EnvSoakSeed, seed)
	for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range times {
				t.Run(strconv.Itoa(i), func(t *testing.T) {
					soak(t, signal, rand.New(rand.NewPCG(seed, uint64(i)<<8|uint64(signal))))
				})
			}
		})
	}
}

// soak ends one run. The point is some time after some line of its output, so that a slow machine tries the same points
// as a fast one.
func soak(t *testing.T, signal syscall.Signal, random *rand.Rand) {
	h := newHome(t)
	const lines = 16 // that a whole run prints before the summary
	line, more := random.IntN(lines), time.Duration(random.Int64N(int64(time.Second)))
	p := h.Start("run", h.Scenario("shop", `  cluster: {isolation: cluster}
  release: {name: shop, chart: charts/shop}
  readiness: [{workload: StatefulSet/db, delay: 500ms}]
  steps:
  - {name: v1, install: {}}
  - {name: v2, upgrade: {values: {tag: v2}}}
  - {name: back, rollback: 1}
`), "--reports", "runs")
	p.Reaches(func(all string) bool { return strings.Count(all, "\n") >= line })
	select {
	case <-time.After(more):
	case <-p.Ended:
	}
	p.Signal(signal)
	got := p.Wait()
	t.Logf("%s %s after line %d: exit code %d", signal, more.Round(time.Millisecond), line, got.Code)
	// At its very beginning and its very end the program does not heed signals yet or any more.
	outside := got.Stderr == "" || strings.Contains(got.Stderr, "report: ")
	if signal == syscall.SIGINT && got.Code != verdict.ExitInterrupted && got.Code != verdict.ExitPassed && !outside {
		t.Errorf("exit code %d\n%s", got.Code, got.Stderr)
	}
	if signal == syscall.SIGINT && len(h.Records()) > 0 {
		t.Errorf("an interrupted run left %v", h.Records())
	}
	h.Want(0, "gc")
	h.checkJudged(got)
}

// checkJudged: what evidence there is can be judged, however the run ended.
func (h *home) checkJudged(got hometest.Result) {
	h.T.Helper()
	folders, err := filepath.Glob(filepath.Join(h.Dir, "runs", "*"))
	if err != nil || len(folders) == 0 {
		return // it ended before it began
	}
	judged := h.Exec("judge", folders[0])
	none := judged.Code == verdict.ExitUsage && strings.Contains(judged.Stderr, "no evidence of a run here")
	codes := []int{verdict.ExitPassed, verdict.ExitErrored, verdict.ExitInconclusive}
	if !none && !slices.Contains(codes, judged.Code) {
		h.T.Errorf("judge: exit code %d\n%s\nafter the run:\n%s", judged.Code, judged.Stderr, got.Stderr)
	}
}
