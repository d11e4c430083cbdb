package replay

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"rehearse.dev/rehearse/harness/replay"
)

// WriteText writes a line for each replay, then what differs, then a summary.
func WriteText(w io.Writer, o Outcome) error {
	for _, left := range o.LeftOut {
		fmt.Fprintf(w, "not replayed: %s: %s\n", left.ID, left.Reason)
	}
	for _, note := range o.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REPLAY\tVARIANTS\tVERDICTS\tFIRINGS\t")
	for _, r := range o.Replays {
		fmt.Fprintf(table, "%d of %d\t%s\t\n", r.Number, o.Times, r.row())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range o.Replays {
		for _, v := range r.Variants {
			for _, line := range v.differences() {
				fmt.Fprintf(w, "\nreplay %d, %s (seed %d): %s\n", r.Number, v.ID, v.Seed, line)
			}
			if !v.Same {
				fmt.Fprintf(w, "  evidence: %s\n", v.Dir)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d of %d replays the same: %s\n", o.Same, o.Times, o.Size())
	return err
}

func (r Replay) row() string {
	same, differing, orders := 0, 0, 0
	for _, v := range r.Variants {
		if v.Same {
			same++
		}
		differing += len(v.Differing)
		if v.Firing != nil {
			orders++
		}
	}
	verdicts, firings := r.size()
	order := fmt.Sprintf("%d in the same order", firings)
	if orders > 0 {
		order = fmt.Sprintf("differ in %d of %d variants", orders, len(r.Variants))
	}
	said := "same"
	if !r.Same {
		said = "DIFFERENT"
	}
	return fmt.Sprintf("%d of %d the same\t%d of %d the same\t%s\t%s", same, len(r.Variants), max(0, verdicts-differing), verdicts, order, said)
}

// differences tells each of them exactly.
func (v Variant) differences() []string {
	var all []string
	if v.Errored != "" {
		all = append(all, "it failed as a whole: "+indented(v.Errored))
	}
	for _, d := range v.Differing {
		text := fmt.Sprintf("verdict %q was %s, and is %s", d.Name, d.Then, d.Now)
		if d.Message != "" {
			text += ": " + indented(d.Message)
		}
		all = append(all, text)
	}
	if v.Firing != nil {
		all = append(all, firing(v.Firing))
	}
	return all
}

func firing(d *replay.Difference) string {
	text := func(firing string) string {
		if firing == "" {
			return "none any more"
		}
		return firing
	}
	return fmt.Sprintf("firing %d differs\n  then: %s\n  now:  %s", d.Number, text(d.Then), text(d.Now))
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }
