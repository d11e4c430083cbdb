// Package trackrecord makes the table of known defects that scenarios are on record for: what goes wrong, where it was
// reported, how to see it, in which versions of Helm it shows, and what the last run said.
package trackrecord

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/verdict"
)

// The lines between which a document has the table.
const (
	Begin = "<!-- track record: generated; see CONTRIBUTING.md -->"
	End   = "<!-- end of the track record -->"
)

// ErrNoPlace says that a document has no place for the table.
var ErrNoPlace = errors.New("no place for the track record")

// Row is what one scenario shows of a pitfall.
type Row struct {
	// Pitfall is the pitfall's number. Several scenarios may be about one.
	Pitfall int
	// Scenario is its name, and File where it is.
	Scenario, File string
	// Defect says what goes wrong, and Issue where it was reported, as owner/repository#number; empty if it was not.
	Defect, Issue string
	// Shows tells whether the scenario passes because the defect shows, or because it does not.
	Shows bool
}

// Outcome is what a run said of one scenario.
type Outcome struct {
	Verdict verdict.Status `json:"verdict"`
	// Helm lists the versions that it ran with, those of all its variants.
	Helm []string `json:"helm"`
}

// Outcomes are those of scenarios by name.
type Outcomes map[string]Outcome

// Of reads the outcomes of rows from a run. helm tells which version of Helm a variant ran with. The worst variant
// decides. A row whose scenario is not in the run has no outcome.
func Of(run verdict.Run, rows []Row, helm func(verdict.Variant) string) Outcomes {
	all := Outcomes{}
	for _, row := range rows {
		var statuses []verdict.Status
		var versions []string
		for _, v := range run.Variants {
			if v.Scenario == row.Scenario {
				statuses = append(statuses, v.Status)
				versions = append(versions, helm(v))
			}
		}
		if len(statuses) > 0 {
			slices.SortFunc(versions, newestFirst)
			all[row.Scenario] = Outcome{verdict.Worst(statuses), slices.Compact(versions)}
		}
	}
	return all
}

// newestFirst compares versions by their numbers, so that 4.10.0 comes before 4.9.0.
func newestFirst(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if order := cmp.Or(cmp.Compare(len(y[i]), len(x[i])), cmp.Compare(y[i], x[i])); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(y), len(x))
}

// Difference is a row about which two runs disagree.
type Difference struct {
	Scenario    string
	Before, Now string
}

// Compare lists the rows whose outcome now is not what it was before, in the order of rows.
func Compare(rows []Row, before, now Outcomes) []Difference {
	var all []Difference
	for _, row := range rows {
		b, n := before.describe(row), now.describe(row)
		if b != n {
			all = append(all, Difference{row.Scenario, b, n})
		}
	}
	return all
}

func (o Outcomes) describe(row Row) string {
	outcome, ok := o[row.Scenario]
	if !ok {
		return "no verdict"
	}
	return fmt.Sprintf("%s with Helm %s", outcome.Verdict, strings.Join(outcome.Helm, ", "))
}

// Table is the track record in Markdown.
func Table(rows []Row, outcomes Outcomes) string {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Pitfall, b.Pitfall), cmp.Compare(a.Scenario, b.Scenario))
	})
	var t strings.Builder
	t.WriteString("| # | defect | issue | `bin/rehearse run` | shows in Helm | last verdict |\n|---|---|---|---|---|---|\n")
	for _, row := range rows {
		outcome := outcomes[row.Scenario]
		fmt.Fprintf(&t, "| %d | %s | %s | `%s` | %s | %s |\n",
			row.Pitfall, cell(row.Defect), link(row.Issue), row.File, row.shows(outcome), cmp.Or(string(outcome.Verdict), "none"))
	}
	return t.String()
}

// shows says in which versions the defect shows. A scenario that did not pass has shown nothing.
func (r Row) shows(outcome Outcome) string {
	versions := strings.Join(outcome.Helm, ", ")
	switch {
	case outcome.Verdict != verdict.Passed:
		return "not known"
	case r.Shows:
		return versions
	default:
		return "not in " + versions
	}
}

// cell makes text safe within a cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(text)
}

// link points to an issue on GitHub.
func link(issue string) string {
	repository, number, ok := strings.Cut(issue, "#")
	if !ok {
		return ""
	}
	return fmt.Sprintf("[%s](https://github.com/%s/issues/%s)", issue, repository, number)
}

// Replace puts the table into a document, in place of the one that stands between Begin and End.
func Replace(document, table string) (string, error) {
	before, rest, ok := strings.Cut(document, Begin+"\n")
	_, after, ends := strings.Cut(rest, End)
	if !ok || !ends {
		return "", fmt.Errorf("%w: expected the lines %q and %q", ErrNoPlace, Begin, End)
	}
	return before + Begin + "\n" + table + End + after, nil
}
