package sweep_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/sweep"
	report "rehearse.dev/rehearse/reports/sweep"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func matrix() sweep.Matrix {
	record := sweep.Write{Verb: "create", Resource: "secrets", Name: "sh.helm.release.v1.shop.v2", Nth: 1}
	patch := sweep.Write{Verb: "patch", Group: "apps", Resource: "deployments", Name: "backend", Nth: 2}
	recovered := func(way sweep.Way) sweep.Recovery {
		return sweep.Recovery{By: way, Recovered: true, Took: 1234 * time.Millisecond, Left: sweep.State{Ledger: "1 superseded, 2 deployed"}}
	}
	residue := recovered(sweep.ByRollback)
	residue.Residue = "revision 2 stays pending"
	refused := sweep.Recovery{By: sweep.ByUpgrade, Why: "another operation is in progress"}
	return sweep.Matrix{
		Scenario: "shop", Step: "v2", Seed: 7, Cuts: []sweep.Cut{sweep.KilledBefore, sweep.Conflict}, Ways: sweep.Ways(),
		Cells: []sweep.Cell{
			{
				Write: record, Cut: sweep.KilledBefore, Left: sweep.State{Ledger: "1 deployed", Live: "revision 1", Ownership: sweep.AsBefore},
				Recoveries: []sweep.Recovery{recovered(sweep.ByRollback), recovered(sweep.ByUpgrade)}, Explanation: "Nothing was done yet.",
			},
			{Write: record, Cut: sweep.Conflict, Problem: "the write did not come", Explanation: "Nothing can be said: the write did not come."},
			{
				Write: patch, Cut: sweep.KilledBefore, Left: sweep.State{Ledger: "1 deployed, 2 pending-upgrade", Live: sweep.Between, Ownership: sweep.Between},
				Recoveries: []sweep.Recovery{residue, refused}, Explanation: "Half of it was done.",
			},
			{
				Write: patch, Cut: sweep.Conflict, Left: sweep.State{Ledger: "empty", Live: "revision 2", Ownership: sweep.AsAfter},
				Recoveries: []sweep.Recovery{refused}, Explanation: "It is lost | for good.",
			},
		},
	}
}

func TestWriters(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*strings.Builder) error{
		"sweep.txt":     func(w *strings.Builder) error { return report.WriteText(w, matrix(), false) },
		"sweep-all.txt": func(w *strings.Builder) error { return report.WriteText(w, matrix(), true) },
		"sweep.md":      func(w *strings.Builder) error { return report.WriteMarkdown(w, matrix()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("%s differs; run with -update if that is right:\n%s", golden, got.String())
			}
		})
	}
}
