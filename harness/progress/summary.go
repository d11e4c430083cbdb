package progress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"rehearse.dev/rehearse/harness/verdict"
)

// summary is what stays on the screen: a line per variant, what went wrong below it, and the totals. The gravest
// verdicts come last, next to the prompt.
func summary(run verdict.Run, report, phases string, p palette) string {
	var b strings.Builder
	widest := 0
	var statuses []verdict.Status
	for _, v := range run.Variants {
		widest = max(widest, utf8.RuneCountInString(v.ID()))
		statuses = append(statuses, v.Status)
	}
	for _, v := range bySeverity(run.Variants) {
		status := p.paint(v.Status, fmt.Sprintf("%s %-12s", symbol(v.Status), v.Status))
		fmt.Fprintf(&b, "%s  %-*s  %8s\n", status, widest, v.ID(), short(v.Duration))
		problems(&b, v, p)
	}
	total := cmp.Or(counts(statuses), "nothing ran")
	fmt.Fprintf(&b, "\n%s in %s\n", p.paint(run.Status, total), short(run.Duration))
	if phases != "" {
		fmt.Fprintln(&b, p.paint(dim, "phases: "+phases))
	}
	b.WriteString(leftovers(run, p))
	if report != "" {
		fmt.Fprintln(&b, "report: "+report)
	}
	return b.String()
}

// leftovers says what clean-up has left, if anything.
func leftovers(run verdict.Run, p palette) string {
	if run.CleanupErr == "" {
		return ""
	}
	return p.paint(verdict.Errored, "clean-up is incomplete: "+oneLine(run.CleanupErr)) + "\nrun `rehearse gc` to remove what is left\n"
}

// problems lists what did not pass. Steps that were not reached are left out: the one that ended the run is there.
func problems(b *strings.Builder, v verdict.Variant, p palette) {
	if v.Reason != "" {
		indent(b, 4, v.Reason)
	}
	for _, d := range v.Verdicts {
		if d.Status == verdict.Passed || d.Status == verdict.Skipped {
			continue
		}
		place := ""
		if d.File != "" {
			place = p.paint(dim, fmt.Sprintf("  %s:%d", d.File, d.Line))
		}
		fmt.Fprintf(b, "    %s %s%s\n", p.paint(d.Status, string(d.Status)+":"), d.Name, place)
		indent(b, 8, d.Message)
	}
}

func indent(b *strings.Builder, columns int, text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", columns), oneLine(line))
	}
}

func bySeverity(variants []verdict.Variant) []verdict.Variant {
	rank := []verdict.Status{verdict.Passed, verdict.Skipped, verdict.Inconclusive, verdict.Errored, verdict.Failed}
	return slices.SortedStableFunc(slices.Values(variants), func(a, b verdict.Variant) int {
		return slices.Index(rank, a.Status) - slices.Index(rank, b.Status)
	})
}
