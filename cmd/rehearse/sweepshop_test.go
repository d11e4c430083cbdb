package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rehearse.dev/rehearse/cmd/rehearse/internal/hometest"
	"rehearse.dev/rehearse/harness/sweep"
)

// TestSweepShop sweeps the shop's upgrade, and holds it against the matrix that the guide shows, and twice its rollback, whose
// matrices have to be the same. With REHEARSE_SOAK that is every write, and else some.
func TestSweepShop(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Want(0, "cluster", "up", "--name", "swept", "--nodes", "3")
	t.Cleanup(func() { h.Want(0, "cluster", "down", "swept") })
	scenario, err := filepath.Abs("../../scenarios/live/clean-rollback.yaml")
	if err != nil {
		t.Fatal(err)
	}
	swept := func(step string, part ...string) sweep.Matrix {
		t.Helper()
		args := []string{"sweep", scenario, "--cluster", "swept", "--step", step, "--reports", t.TempDir(), "--output", "json", "--parallel", "4"}
		if os.Getenv(hometest.EnvSoak) == "" {
			args = append(args, part...)
		}
		return matrixOf(t, h.Want(0, args...).Stdout)
	}
	upgrade := swept("v2", "--write", "11")
	known := recordedCells(t)
	for _, c := range upgrade.Cells {
		recorded, ok := known[c.Write.String()+" "+string(c.Cut)]
		if !ok {
			t.Errorf("the recorded matrix has no cell %s at %s", c.Cut, c.Write)
		}
		if diff := cmp.Diff(told(recorded), told(c)); diff != "" {
			t.Errorf("%s at %s is not as recorded (-recorded +now):\n%s", c.Cut, c.Write, diff)
		}
	}
	if len(upgrade.Cells) < len(sweep.Cuts()) {
		t.Errorf("only %d cells", len(upgrade.Cells))
	}
	some := []string{"--write", "9", "--cut", "killedAfter,conflict"}
	one, two := swept("back", some...), swept("back", some...)
	if diff := cmp.Diff(one, two, cmpopts.IgnoreUnexported(sweep.Cell{})); diff != "" {
		t.Errorf("two sweeps of the rollback with the same seed differ:\n%s", diff)
	}
	if len(one.Cells) < 2 || !one.Conclusive() {
		t.Errorf("the rollback's matrix says too little: %+v", one.Cells)
	}
}

// recordedCells are those of the matrix in the guide, by write and cut.
func recordedCells(t *testing.T) map[string]sweep.Cell {
	t.Helper()
	data, err := os.ReadFile("../../reports/sweep/testdata/clean-rollback-v2.json")
	if err != nil {
		t.Fatal(err)
	}
	var m sweep.Matrix
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	cells := map[string]sweep.Cell{}
	for _, c := range m.Cells {
		cells[c.Write.String()+" "+string(c.Cut)] = c
	}
	return cells
}

// told is what a cell says that no two runs may differ in, whatever they are called.
func told(c sweep.Cell) map[string]any {
	recovered := map[sweep.Way]bool{}
	for _, r := range c.Recoveries {
		recovered[r.By] = r.Recovered
	}
	return map[string]any{"left": c.Left, "grade": c.Grade, "recovered": recovered, "finding": c.Finding.Name, "problem": c.Problem}
}
