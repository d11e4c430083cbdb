// Package sweep writes the recovery matrix of a sweep: for a terminal, as Markdown and as a page of HTML.
package sweep

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"rehearse.dev/rehearse/harness/sweep"
)

// legend tells what a cell of the matrix means.
const legend = `A cell: the newest revision's status (D deployed, F failed, P pending, - none, ? cannot be read), which revision's manifest is
live (~ for a mixture), ! if what Helm owns is neither as before the step nor as after it, and what recovers it by a
plain operation (R rollback, U upgrade, . not; a small letter if Helm's storage stays wrong). "none" says that nothing can be
said of the cell.`

// WriteText writes the matrix for a terminal, and in words the cells that nothing recovers or that say nothing; all of
// them if all is set.
func WriteText(w io.Writer, m sweep.Matrix, all bool) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(out, "WRITE")
	for _, cut := range m.Cuts {
		fmt.Fprintf(out, "\t%s", cut)
	}
	fmt.Fprintln(out)
	for i, row := range rows(m) {
		fmt.Fprintf(out, "%d %s", i+1, row[0].Write)
		for _, c := range row {
			fmt.Fprintf(out, "\t%s", code(c, m.Ways))
		}
		fmt.Fprintln(out)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	text := "\n" + legend + "\n"
	for _, c := range m.Cells {
		if all || c.Problem != "" || slices.ContainsFunc(m.Lost(), func(l sweep.Cell) bool { return l.Write == c.Write && l.Cut == c.Cut }) {
			text += "\n" + string(c.Cut) + " " + c.Write.String() + "\n  " + c.Explanation + "\n"
		}
	}
	_, err := io.WriteString(w, text+"\n"+Summary(m)+"\n")
	return err
}

// Summary says in a line how much of the matrix recovers, and how long that takes.
func Summary(m sweep.Matrix) string {
	said := 0
	for _, c := range m.Cells {
		if c.Problem == "" {
			said++
		}
	}
	parts := []string{fmt.Sprintf("%d cells, %d of them say something", len(m.Cells), said)}
	for _, way := range m.Ways {
		recovered, longest := 0, time.Duration(0)
		for _, c := range m.Cells {
			if r, ok := recoveryBy(c, way); ok && r.Recovered {
				recovered++
				longest = max(longest, r.Took)
			}
		}
		parts = append(parts, fmt.Sprintf("a plain %s recovers %d (%s at most)", way, recovered, longest.Round(100*time.Millisecond)))
	}
	return strings.Join(append(parts, fmt.Sprintf("nothing recovers %d", len(m.Lost()))), "; ")
}

// rows are the cells by write.
func rows(m sweep.Matrix) [][]sweep.Cell {
	var all [][]sweep.Cell
	for _, c := range m.Cells {
		if n := len(all); n > 0 && all[n-1][0].Write == c.Write {
			all[n-1] = append(all[n-1], c)
			continue
		}
		all = append(all, []sweep.Cell{c})
	}
	return all
}

func recoveryBy(c sweep.Cell, way sweep.Way) (sweep.Recovery, bool) {
	for _, r := range c.Recoveries {
		if r.By == way {
			return r, true
		}
	}
	return sweep.Recovery{}, false
}

// code is a cell in a few characters.
func code(c sweep.Cell, ways []sweep.Way) string {
	if c.Problem != "" {
		return "none"
	}
	text := newest(c.Left.Ledger) + strings.TrimPrefix(strings.Replace(c.Left.Live, sweep.Between, "~", 1), "revision ")
	if c.Left.Ownership == sweep.Between {
		text += "!"
	}
	text += " "
	for _, way := range ways {
		switch r, ok := recoveryBy(c, way); {
		case !ok:
		case r.Recovered && r.Residue != "":
			text += string(way[:1])
		case r.Recovered:
			text += strings.ToUpper(string(way[:1]))
		default:
			text += "."
		}
	}
	return text
}

// newest is the first letter of the newest revision's status.
func newest(ledger string) string {
	all := strings.Split(ledger, ", ")
	_, status, ok := strings.Cut(all[len(all)-1], " ")
	switch {
	case !ok:
		return "-"
	case status == "unreadable":
		return "?"
	}
	return strings.ToUpper(status[:1])
}

// WriteMarkdown writes the matrix with every cell in words.
func WriteMarkdown(w io.Writer, m sweep.Matrix) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# Recovery matrix: step `%s` of %s\n\n%s. Seed %d.\n\n", m.Step, m.Scenario, Summary(m), m.Seed)
	table(&out, m)
	out.WriteString("\n" + legend + "\n\n## What the cells have in common, and why\n\n")
	findings(&out, m)
	for i, row := range rows(m) {
		fmt.Fprintf(&out, "\n## %d %s\n\n", i+1, row[0].Write)
		for _, c := range row {
			fmt.Fprintf(&out, "- **%s**: %s%s\n", c.Cut, c.Explanation, took(c))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// WriteDigest writes as Markdown what does not differ from run to run: the table, and what its cells have in common.
func WriteDigest(w io.Writer, m sweep.Matrix) error {
	var out strings.Builder
	table(&out, m)
	out.WriteString("\n" + legend + "\n\n")
	findings(&out, m)
	_, err := io.WriteString(w, out.String())
	return err
}

func table(out *strings.Builder, m sweep.Matrix) {
	out.WriteString("| # | write |")
	for _, cut := range m.Cuts {
		fmt.Fprintf(out, " %s |", cut)
	}
	out.WriteString("\n|---|---|" + strings.Repeat("---|", len(m.Cuts)) + "\n")
	for i, row := range rows(m) {
		fmt.Fprintf(out, "| %d | %s |", i+1, cell(row[0].Write.String()))
		for _, c := range row {
			fmt.Fprintf(out, " `%s` |", code(c, m.Ways))
		}
		out.WriteString("\n")
	}
}

// findings tells what cells have in common, each with the codes that they have in the table.
func findings(out *strings.Builder, m sweep.Matrix) {
	for _, g := range m.Groups() {
		var codes []string
		for _, c := range g.Cells {
			if text := "`" + code(c, m.Ways) + "`"; !slices.Contains(codes, text) {
				codes = append(codes, text)
			}
		}
		cells := "cells"
		if len(g.Cells) == 1 {
			cells = "cell"
		}
		fmt.Fprintf(out, "- **%s: %s** (%d %s, %s): %s\n", g.Grade, g.Name, len(g.Cells), cells, strings.Join(codes, " "), g.Why)
	}
}

// took says how long the recoveries of a cell took.
func took(c sweep.Cell) string {
	var all []string
	for _, r := range c.Recoveries {
		if r.Recovered && r.Took > 0 {
			all = append(all, fmt.Sprintf("%s took %s", r.By, r.Took.Round(10*time.Millisecond)))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
