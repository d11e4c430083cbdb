package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
	report "rehearse.dev/rehearse/reports/replay"
)

// replayed are scenarios in which chance, a count, a response and a signal decide what fires.
var replayed = []string{"api-internal-error", "api-throttled", "api-answer-lost", "killed-upgrade"}

// TestReplay runs scenarios with faults once and replays them: every replay comes to the same, and to nothing but the same.
// REHEARSE_SOAK says how often.
func TestReplay(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Want(0, "examples", "demo")
	h.Want(0, "cluster", "up", "--name", "again", "--nodes", "1")
	t.Cleanup(func() { h.Want(0, "cluster", "down", "again") })
	args := []string{"run", "--cluster", "again", "--run-id", "first"}
	for _, name := range replayed {
		args = append(args, filepath.Join("demo", "scenarios", "faults", name+".yaml"))
	}
	h.Want(0, args...)
	first := filepath.Join(h.Dir, "reports", "runs", "first")

	t.Run("same", func(t *testing.T) {
		// What the scenario has come to say does not matter.
		h.Write("demo/scenarios/faults/api-throttled.yaml", "gone: astray\n")
		times, _ := hometest.Soak(t, 2)
		o := h.in(t).replay(0, first, "--times", strconv.Itoa(times))
		if o.Same != o.Times || len(o.Replays) != o.Times || len(o.Notes) > 0 {
			t.Errorf("%d of %d the same, %d compared; notes %q", o.Same, o.Times, len(o.Replays), o.Notes)
		}
		for _, v := range o.Replays[0].Variants {
			if v.Firings == 0 || v.Verdicts == 0 {
				t.Errorf("%s: %d firings and %d verdicts were compared", v.ID, v.Firings, v.Verdicts)
			}
		}
		t.Logf("%d of %d: %s", o.Same, o.Times, o.Size())
	})
	t.Run("doctored", func(t *testing.T) {
		dir := h.in(t).doctored(first, "doctored")
		h.doctorVerdict(filepath.Join(dir, "api-throttled"))
		h.doctorFirings(filepath.Join(dir, "api-internal-error"))
		o := h.in(t).replay(1, dir)
		got := map[string]string{}
		for _, v := range o.Replays[0].Variants {
			for _, d := range v.Differing {
				got[v.ID] += "verdict " + d.Name + " " + string(d.Then) + " " + string(d.Now)
			}
			if v.Firing != nil {
				got[v.ID] += "firing " + strconv.Itoa(v.Firing.Number)
			}
		}
		if got["api-throttled"] != "verdict v2 failed passed" || got["api-internal-error"] != "firing 1" || len(got) != 2 {
			t.Errorf("what was doctored is told as %v", got)
		}
		text := h.Want(1, "replay", filepath.Join(dir, "api-internal-error"), "--cluster", "again")
		if !strings.Contains(text.Stdout, "firing 1 differs\n  then: broken at ") || !strings.Contains(text.Stdout, "0 of 1 replays the same") {
			t.Errorf("told as:\n%s", text.Stdout)
		}
	})
}

// replay replays a run, demands an exit code, and returns what became of it.
func (h *home) replay(code int, args ...string) report.Outcome {
	h.T.Helper()
	got := h.Want(code, append([]string{"replay", "--cluster", "again", "--output", "json"}, args...)...)
	var o report.Outcome
	if err := json.Unmarshal([]byte(got.Stdout), &o); err != nil {
		h.T.Fatalf("%v in %s", err, got.Stdout)
	}
	return o
}

// doctored is a copy of a run's folder, to be doctored.
func (h *home) doctored(dir, name string) string {
	h.T.Helper()
	to := filepath.Join(h.Dir, name)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		h.T.Fatal(err)
	}
	return to
}

// doctorVerdict makes a step fail that passed.
func (h *home) doctorVerdict(dir string) {
	h.T.Helper()
	path := filepath.Join(dir, evidence.VerdictFile)
	data, err := os.ReadFile(path)
	if err != nil {
		h.T.Fatal(err)
	}
	var v verdict.Variant
	if err := json.Unmarshal(data, &v); err != nil {
		h.T.Fatal(err)
	}
	i := slices.IndexFunc(v.Verdicts, func(v verdict.Verdict) bool { return v.Name == "v2" })
	v.Verdicts[i].Status = verdict.Failed
	if err := evidence.WriteFile(dir, evidence.VerdictFile, v); err != nil {
		h.T.Fatal(err)
	}
}

// doctorFirings exchanges the first two firings.
func (h *home) doctorFirings(dir string) {
	h.T.Helper()
	path := filepath.Join(dir, evidence.TimelineFile)
	data, err := os.ReadFile(path)
	if err != nil {
		h.T.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	var fired []int
	var events [2]evidence.Event
	for i, line := range lines {
		if len(fired) == 2 || !strings.Contains(line, `"phase":"fired"`) {
			continue
		}
		if err := json.Unmarshal([]byte(line), &events[len(fired)]); err != nil {
			h.T.Fatal(err)
		}
		fired = append(fired, i)
	}
	if len(fired) != 2 {
		h.T.Fatalf("%s holds %d firings; two are to be exchanged", path, len(fired))
	}
	events[0].Fault, events[1].Fault = events[1].Fault, events[0].Fault
	for n, i := range fired {
		line, err := json.Marshal(events[n])
		if err != nil {
			h.T.Fatal(err)
		}
		lines[i] = string(line) + "\n"
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
		h.T.Fatal(err)
	}
}
