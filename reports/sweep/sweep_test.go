package sweep_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	parser "golang.org/x/net/html"

	"rehearse.dev/rehearse/harness/sweep"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/page/pagetest"
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
				Grade: sweep.Clean, Finding: sweep.Finding{Name: "nothing stored, live as before", Why: "Nothing had begun."},
			},
			{
				Write: record, Cut: sweep.Conflict, Problem: "the write did not come", Explanation: "Nothing can be said: the write did not come.",
				Grade: sweep.Unsaid, Finding: sweep.Finding{Name: "no finding", Why: "The cell says what went wrong."},
			},
			{
				Write: patch, Cut: sweep.KilledBefore, Left: sweep.State{Ledger: "1 deployed, 2 pending-upgrade", Live: sweep.Between, Ownership: sweep.Between},
				Recoveries: []sweep.Recovery{residue, refused}, Explanation: "Half of it was done.",
				Grade: sweep.Partly, Finding: sweep.Finding{Name: "left pending, live a mixture", Why: "It was killed half way."},
			},
			{
				Write: patch, Cut: sweep.Conflict, Left: sweep.State{Ledger: "empty", Live: "revision 2", Ownership: sweep.AsAfter},
				Recoveries: []sweep.Recovery{refused}, Explanation: "It is lost | for good.", Outcome: "</details><script>alert(1)</script>",
				Grade: sweep.Lost, Finding: sweep.Finding{Name: "a record unreadable, live as after", Why: "Nobody can read it."},
			},
		},
	}
}

// run is the run of the matrix, but for its last cell, of which nothing was kept.
func run() verdict.Run {
	r := verdict.Run{Started: time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC), Duration: 90 * time.Second, Versions: map[string]string{"helm": "v4.3.1"}}
	m := matrix()
	for i, c := range m.Cells[:3] {
		for _, way := range m.Ways {
			r.Variants = append(r.Variants, verdict.Variant{
				Dir:    fmt.Sprintf("shop/%d-%s", i, way),
				Matrix: map[string]string{"write": c.Write.String(), "cut": string(c.Cut), "recover": string(way)},
			})
		}
	}
	return r
}

// page is the matrix as HTML, parsed.
func page(t *testing.T) *parser.Node {
	t.Helper()
	var text strings.Builder
	if err := report.WriteHTML(&text, matrix(), run()); err != nil {
		t.Fatal(err)
	}
	root, err := parser.Parse(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// The page leads to files of the run's folder and nowhere else, and what Helm says becomes no markup.
func TestPageStandsAlone(t *testing.T) {
	t.Parallel()
	beside := []string{"report.html", "sweep.md", "sweep.json"}
	for i, v := range run().Variants {
		beside = append(beside, v.Dir+"/", fmt.Sprintf("report.html#variant-%d", i+1))
	}
	root := page(t)
	for _, problem := range pagetest.Outside(root, beside...) {
		t.Error(problem)
	}
	links, scripts := map[string]int{}, 0
	pagetest.Walk(root, func(n *parser.Node) {
		if n.Data == "script" {
			scripts++
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				links[a.Val]++
			}
		}
	})
	for _, link := range beside {
		if links[link] != 1 {
			t.Errorf("%d links lead to %s, want one", links[link], link)
		}
	}
	if scripts != 1 {
		t.Errorf("the page has %d scripts, want its own alone", scripts)
	}
}

// Whoever sees no colours reads the same: each cell of the table has its grade and its finding in words.
func TestEveryCellIsInWords(t *testing.T) {
	t.Parallel()
	cells := 0
	pagetest.Walk(page(t), func(n *parser.Node) {
		if n.Data != "td" || n.FirstChild == nil || n.FirstChild.Data != "a" || n.FirstChild.FirstChild.Data != "b" {
			return
		}
		cells++
		if texts := pagetest.Texts(n); len(texts) != 2 || !slices.Contains(sweep.Grades(), sweep.Grade(texts[0])) {
			t.Errorf("a cell says %q", texts)
		}
	})
	if cells != len(matrix().Cells) {
		t.Errorf("%d cells are in words, want %d", cells, len(matrix().Cells))
	}
}

func TestWriters(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*strings.Builder) error{
		"sweep.txt":     func(w *strings.Builder) error { return report.WriteText(w, matrix(), false) },
		"sweep-all.txt": func(w *strings.Builder) error { return report.WriteText(w, matrix(), true) },
		"sweep.md":      func(w *strings.Builder) error { return report.WriteMarkdown(w, matrix()) },
		// What a reader of the page reads.
		"sweep.html.txt": func(w *strings.Builder) error {
			_, err := w.WriteString(strings.Join(pagetest.Texts(page(t)), "\n") + "\n")
			return err
		},
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
