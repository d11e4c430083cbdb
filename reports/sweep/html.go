package sweep

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/sweep"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/page"
)

//go:embed templates
var files embed.FS

// view is the page of a matrix.
type view struct {
	M       sweep.Matrix
	Summary string
	Counts  []count
	Facts   []fact
	Cuts    []string
	Rows    []row
	Groups  []group
}

type fact struct{ Name, Value string }

// count is how many cells have a grade.
type count struct {
	N     int
	Grade grade
}

// grade is a sweep's, with the class that colours it.
type grade struct {
	sweep.Grade
	Class string
}

// row is a write with its cells, one for each way to break it; nil where there is none.
type row struct {
	Number int
	Write  string
	Cells  []*cellView
}

// cellView is a cell with what the run says of its tries.
type cellView struct {
	sweep.Cell
	Anchor string
	Title  string
	Grade  grade
	Ledger []string
	Tries  []try
}

// try is an attempt to recover, with where its evidence is.
type try struct {
	By sweep.Way
	// Said is what became of it in a word or two, More what has to be known of that.
	Said, More, Took string
	Grade            grade
	// Left is what it left; nil if nothing can be said of that.
	Left *sweep.State
	// Report and Evidence are relative to the run's folder; empty if the run does not have it.
	Report, Evidence string
}

// group is a finding with links to its cells.
type group struct {
	sweep.Group
	Grade grade
	Links []link
}

type link struct{ Anchor, Text string }

// classes colour the grades as the statuses of other reports.
var classes = map[sweep.Grade]string{sweep.Lost: "failed", sweep.Unsaid: "errored", sweep.Partly: "inconclusive", sweep.Clean: "passed"}

func gradeOf(g sweep.Grade) grade { return grade{g, classes[g]} }

// WriteHTML writes the matrix as one self-contained page: the matrix, what its cells have in common and why, and each cell
// with what was left and what recovers it. run is the sweep's own; its folder holds the page, report.html and the evidence.
func WriteHTML(w io.Writer, m sweep.Matrix, run verdict.Run) error {
	script, err := files.ReadFile("templates/reveal.js")
	if err != nil {
		return fmt.Errorf("read the page's script: %w", err)
	}
	matrix, err := files.ReadFile("templates/matrix.css")
	if err != nil {
		return fmt.Errorf("read the page's style: %w", err)
	}
	whole, err := template.New("page").Funcs(template.FuncMap{
		"style":  func() template.CSS { return page.Style() + template.CSS(matrix) },
		"script": func() template.JS { return template.JS(script) },
	}).ParseFS(files, "templates/*.gohtml")
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	if err := whole.ExecuteTemplate(w, "sweep.gohtml", viewOf(m, run)); err != nil {
		return fmt.Errorf("write the matrix as HTML: %w", err)
	}
	return nil
}

func viewOf(m sweep.Matrix, run verdict.Run) view {
	v := view{M: m, Summary: Summary(m), Facts: factsOf(m, run)}
	for _, cut := range m.Cuts {
		v.Cuts = append(v.Cuts, cut.Title())
	}
	graded := map[sweep.Grade]int{}
	variants := variantsOf(run)
	for i, cells := range rows(m) {
		r := row{Number: i + 1, Write: cells[0].Write.String(), Cells: make([]*cellView, len(m.Cuts))}
		for _, c := range cells {
			graded[c.Grade]++
			if at := slices.Index(m.Cuts, c.Cut); at >= 0 {
				r.Cells[at] = cellOf(c, i+1, m.Ways, variants)
			}
		}
		v.Rows = append(v.Rows, r)
	}
	for _, g := range sweep.Grades() {
		if graded[g] > 0 {
			v.Counts = append(v.Counts, count{graded[g], gradeOf(g)})
		}
	}
	for _, g := range m.Groups() {
		v.Groups = append(v.Groups, groupOf(g, v.Rows))
	}
	return v
}

func factsOf(m sweep.Matrix, run verdict.Run) []fact {
	all := []fact{
		{"started", run.Started.UTC().Format("2 January 2006, 15:04:05 UTC")},
		{"took", page.Short(run.Duration)},
		{"variants", fmt.Sprint(len(run.Variants))},
		{"seed", fmt.Sprint(m.Seed)},
	}
	for _, name := range slices.Sorted(maps.Keys(run.Versions)) {
		all = append(all, fact{name, run.Versions[name]})
	}
	return all
}

// tryKey is what a sweep's plans have in their matrix.
type tryKey struct{ write, cut, way string }

type placed struct {
	verdict.Variant
	place int
}

// variantsOf finds the variants of a run by what they tried.
func variantsOf(run verdict.Run) map[tryKey]placed {
	all := map[tryKey]placed{}
	for i, v := range run.Variants {
		all[tryKey{v.Matrix["write"], v.Matrix["cut"], v.Matrix["recover"]}] = placed{v, i}
	}
	return all
}

func cellOf(c sweep.Cell, number int, ways []sweep.Way, variants map[tryKey]placed) *cellView {
	view := &cellView{Cell: c, Anchor: fmt.Sprintf("cell-%d-%s", number, c.Cut), Title: c.Cut.Title(), Grade: gradeOf(c.Grade)}
	if c.Problem == "" {
		view.Ledger = strings.Split(c.Left.Ledger, ", ")
	}
	for _, way := range ways {
		t := tryOf(c, way)
		v, ran := variants[tryKey{c.Write.String(), string(c.Cut), string(way)}]
		if ran {
			t.Report, t.Evidence = "report.html#"+page.Anchor(v.place), v.Dir
		}
		if ran || t.Left != nil {
			view.Tries = append(view.Tries, t)
		}
	}
	return view
}

func tryOf(c sweep.Cell, way sweep.Way) try {
	r, ok := recoveryBy(c, way)
	if !ok {
		return try{By: way, Said: "nothing known", Grade: gradeOf(sweep.Unsaid)}
	}
	t := try{By: way, Said: "recovers", More: cmp.Or(r.Why, r.Residue), Left: &r.Left, Grade: gradeOf(sweep.Clean)}
	switch {
	case !r.Recovered:
		t.Said, t.Grade = "does not recover", gradeOf(sweep.Lost)
	case r.Residue != "":
		t.Said, t.Grade = "recovers, storage stays wrong", gradeOf(sweep.Partly)
	}
	if r.Took > 0 {
		t.Took = page.Short(r.Took)
	}
	return t
}

func groupOf(g sweep.Group, rows []row) group {
	out := group{Group: g, Grade: gradeOf(g.Grade)}
	for _, r := range rows {
		for _, c := range r.Cells {
			if c != nil && c.Finding == g.Finding && c.Cell.Grade == g.Grade {
				out.Links = append(out.Links, link{c.Anchor, fmt.Sprintf("%d %s", r.Number, c.Title)})
			}
		}
	}
	return out
}
