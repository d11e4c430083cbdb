package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/sweep"
)

// TestSweep sweeps an upgrade of two objects twice: the matrix is the same, and says what is known of Helm.
func TestSweep(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Want(0, "cluster", "up", "--name", "swept", "--nodes", "1")
	t.Cleanup(func() { h.Want(0, "cluster", "down", "swept") })
	h.Write("charts/pair/Chart.yaml", "apiVersion: v2\nname: pair\nversion: 0.1.0\n")
	for _, name := range []string{"a", "b"} {
		h.Write("charts/pair/templates/"+name+".yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+"}\ndata: {tag: {{ .Values.tag }}}\n")
	}
	file := h.Scenario("pair", `  release: {name: pair, chart: charts/pair}
  steps:
  - {name: v1, install: {values: {tag: v1}}}
  - {name: v2, upgrade: {values: {tag: v2}}}
`)
	run := func(code int, more ...string) (hometest.Result, string) {
		reports := t.TempDir()
		args := append([]string{"sweep", file, "--cluster", "swept", "--step", "v2", "--reports", reports, "--output", "json"}, more...)
		return h.Want(code, args...), reports
	}
	first, reports := run(0)
	second, _ := run(0)
	one, two := matrixOf(t, first.Stdout), matrixOf(t, second.Stdout)
	if diff := cmp.Diff(one, two, cmpopts.IgnoreUnexported(sweep.Cell{})); diff != "" {
		t.Errorf("two sweeps with the same seed differ:\n%s", diff)
	}
	checkCells(t, one)
	found, err := filepath.Glob(filepath.Join(reports, "*", "sweep.md"))
	if err != nil || len(found) != 1 {
		t.Fatalf("sweep.md: %v, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil || strings.Count(string(text), "- **") != len(one.Cells)+len(one.Groups()) {
		t.Errorf("sweep.md does not explain %d cells: %v\n%s", len(one.Cells), err, text)
	}
	page, err := os.ReadFile(filepath.Join(filepath.Dir(found[0]), "sweep.html"))
	if err != nil || strings.Count(string(page), "report.html#variant-") != 2*len(one.Cells) {
		t.Errorf("sweep.html does not lead to the evidence of %d cells: %v", len(one.Cells), err)
	}
	for _, c := range one.Cells {
		if c.Finding.Why == "" {
			t.Errorf("%s at %s is not explained", c.Cut, c.Write)
		}
	}
	lost, _ := run(1, "--must-recover", "--cut", "killedAfter", "--recover", "upgrade", "--write", "2")
	if !strings.Contains(lost.Stderr, "1 cell recovers by nothing") {
		t.Errorf("with --must-recover it says %s", lost.Stderr)
	}
}

// checkCells holds some cells against what Helm is known to do.
func checkCells(t *testing.T, m sweep.Matrix) {
	t.Helper()
	cell := func(w string, cut sweep.Cut) sweep.Cell {
		i := slices.IndexFunc(m.Cells, func(c sweep.Cell) bool { return c.Write.String() == w && c.Cut == cut })
		if i < 0 {
			t.Fatalf("there is no cell %s at %s in %+v", cut, w, m.Cells)
		}
		return m.Cells[i]
	}
	before := sweep.State{Ledger: "1 deployed", Live: "revision 1", Ownership: sweep.AsBefore}
	if c := cell("create secrets/sh.helm.release.v1.pair.v2", sweep.KilledBefore); c.Left != before || !c.Recoveries[1].Recovered {
		t.Errorf("killed before anything was done: %+v", c)
	}
	pending := sweep.State{Ledger: "1 deployed, 2 pending-upgrade", Live: sweep.Between, Ownership: sweep.Between}
	killed := cell("patch configmaps/a", sweep.KilledAfter)
	killed.Left.Ownership = sweep.Between // both revisions set the same fields
	if killed.Left != pending || killed.Recoveries[0].Residue == "" || killed.Recoveries[1].Recovered {
		t.Errorf("killed half way: %+v", killed)
	}
	if c := cell("patch configmaps/b", sweep.ServerError); c.Left.Ledger != "1 deployed, 2 failed" || c.Outcome == "" {
		t.Errorf("refused half way: %+v", c)
	}
}

// matrixOf decodes a matrix, without what differs from run to run.
func matrixOf(t *testing.T, text string) sweep.Matrix {
	t.Helper()
	var m sweep.Matrix
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, c := range m.Cells {
		for i := range c.Recoveries {
			c.Recoveries[i].Took = 0
		}
	}
	return m
}

func TestSweepUsage(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	file := h.Scenario("usage", `  release: {name: note, chart: charts/note}
  matrix: {wait: [watcher, legacy]}
  steps:
  - {name: v1, install: {}}
  - {name: v2, upgrade: {}}
`)
	for says, args := range map[string][]string{
		"required flag(s) \"step\" not set":          {},
		"no step \"v9\" (there are: v1, v2)":         {"--step", "v9", "--variant", "wait=legacy"},
		"v1 is install; a sweep breaks":              {"--step", "v1", "--variant", "wait=legacy"},
		"has the variants wait=watcher; wait=legacy": {"--step", "v2"},
		"no way to break a step":                     {"--step", "v2", "--cut", "pull"},
		"no way to recover":                          {"--step", "v2", "--recover", "prayer"},
	} {
		if got := h.Want(2, append([]string{"sweep", file}, args...)...); !strings.Contains(got.Stderr, says) {
			t.Errorf("sweep %v says %q, want %q", args, got.Stderr, says)
		}
	}
}
