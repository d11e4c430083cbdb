// Package markdown writes a run as a summary for people who read it on a forge: fit for $GITHUB_STEP_SUMMARY, a merge
// request or an issue.
package markdown

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// The bounds of what is written. GitHub refuses a step summary of more than 1 MiB.
const (
	maxBytes   = 900 << 10
	maxMessage = 4 << 10
)

// Write writes the run as Markdown.
func Write(w io.Writer, run verdict.Run) error {
	var b bytes.Buffer
	head(&b, run)
	table(&b, run)
	problems(&b, run)
	if asked := run.Requests(); asked != nil {
		fmt.Fprintf(&b, "Requests of Helm: %s.\n\n", inline(asked.String()))
	}
	fmt.Fprintf(&b, "Run %s, seed %s%s. All evidence is in the run's folder; begin with `report.html`.\n", inline(run.ID), run.SeedText(), versions(run.Versions))
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

func head(b *bytes.Buffer, run verdict.Run) {
	counts := map[verdict.Status]int{}
	for _, v := range run.Variants {
		counts[v.Status]++
	}
	var parts []string
	for _, s := range []verdict.Status{verdict.Failed, verdict.Errored, verdict.Inconclusive, verdict.Passed, verdict.Skipped} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	fmt.Fprintf(b, "## %s Rehearsal %s\n\n", symbol(run.Status), run.Status)
	if len(parts) == 0 {
		parts = []string{"Nothing ran"}
	}
	fmt.Fprintf(b, "%s; %s.\n\n", strings.Join(parts, ", "), round(run.Duration))
	if run.CleanupErr != "" {
		fmt.Fprintf(b, "> [!WARNING]\n> Clean-up is incomplete: %s. `rehearse gc` removes what is left.\n\n", inline(run.CleanupErr))
	}
}

func table(b *bytes.Buffer, run verdict.Run) {
	if len(run.Variants) == 0 {
		return
	}
	b.WriteString("| | Scenario | Steps | Assertions | Recovery | Requests | Time |\n|---|---|---|---|---|---|---|\n")
	for i, v := range run.Variants {
		if b.Len() > maxBytes/2 {
			fmt.Fprintf(b, "\n… and %d more\n", len(run.Variants)-i)
			break
		}
		steps, assertions := tallies(v)
		fmt.Fprintf(b, "| %s %s | %s | %s | %s | %s | %s | %s |\n", symbol(v.Status), v.Status, inline(v.ID()), steps, assertions, recovery(v), requests(v), round(v.Duration))
	}
	b.WriteString("\n")
}

func tallies(v verdict.Variant) (steps, assertions string) {
	var done, all [2]int
	for _, d := range v.Verdicts {
		kind := 1
		if d.Kind == "step" {
			kind = 0
		}
		all[kind]++
		if d.Status == verdict.Passed {
			done[kind]++
		}
	}
	return fmt.Sprintf("%d/%d", done[0], all[0]), fmt.Sprintf("%d/%d", done[1], all[1])
}

func recovery(v verdict.Variant) string {
	var all []string
	for _, step := range v.Recovered() {
		all = append(all, inline(step)+" "+round(v.Recovery[step]))
	}
	return strings.Join(all, ", ")
}

// requests says how many requests Helm sent, and how many of them did not go as they should.
func requests(v verdict.Variant) string {
	r := v.Requests
	if r == nil {
		return ""
	}
	text := fmt.Sprint(r.Total)
	for _, part := range []struct {
		n    int
		what string
	}{{r.Refused, "refused"}, {r.Unanswered, "unanswered"}, {r.Faulted, "faulted"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return text
}

// problems lists what did not pass, the gravest first.
func problems(b *bytes.Buffer, run verdict.Run) {
	for _, status := range []verdict.Status{verdict.Failed, verdict.Errored, verdict.Inconclusive, verdict.Skipped} {
		for _, v := range run.Variants {
			if v.Status == status && !problem(b, v) {
				b.WriteString("More did not pass; `report.html` has all of it.\n\n")
				return
			}
		}
	}
}

// problem reports whether there was room for it.
func problem(b *bytes.Buffer, v verdict.Variant) bool {
	var p bytes.Buffer
	fmt.Fprintf(&p, "### %s %s\n\n", symbol(v.Status), inline(v.ID()))
	if v.Description != "" {
		fmt.Fprintf(&p, "%s (`%s`)\n\n", inline(v.Description), code(v.File))
	}
	if v.Reason != "" {
		fmt.Fprintf(&p, "**%s as a whole**\n\n%s\n", v.Status, fence(v.Reason))
	}
	for _, d := range v.Verdicts {
		if d.Status == verdict.Passed || p.Len() > maxBytes/4 {
			continue
		}
		fmt.Fprintf(&p, "**%s**: %s", d.Status, inline(d.Name))
		if d.File != "" {
			fmt.Fprintf(&p, " (line %d)", d.Line)
		}
		if d.KnownIssue != "" {
			fmt.Fprintf(&p, ", known issue %s", inline(d.KnownIssue))
		}
		fmt.Fprintf(&p, "\n\n%s\n", fence(d.Message))
	}
	if b.Len()+p.Len() > maxBytes {
		return false
	}
	b.Write(p.Bytes())
	return true
}

func versions(v map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&b, ", %s %s", inline(name), inline(v[name]))
	}
	return b.String()
}

func symbol(s verdict.Status) string {
	switch s {
	case verdict.Passed:
		return "✅"
	case verdict.Failed:
		return "❌"
	case verdict.Errored:
		return "💥"
	case verdict.Inconclusive:
		return "❓"
	default:
		return "⏭️"
	}
}

func round(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }
