package compare

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes a comparison as a table: a line for each variant, and below it a line for each verdict that differs, or
// with all of them for each.
func WriteText(w io.Writer, c Comparison, all bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\t%s\t%s\t\n", c.Columns[0], c.Columns[1])
	for _, v := range c.Variants {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.ID, v.Statuses[0], v.Statuses[1], v.remark())
		for _, row := range v.Verdicts {
			if row.Same && !all {
				continue
			}
			remark := ""
			if !row.Same {
				remark = "DIFFERENT"
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", row.Name, row.Statuses[0], row.Statuses[1], remark)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := writeReasons(w, c); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", c.Summary())
	return err
}

func (v Variant) remark() string {
	switch {
	case v.Skipped != "":
		return v.Skipped
	case v.Same:
		return fmt.Sprintf("%d of %d the same", len(v.Verdicts), len(v.Verdicts))
	}
	same := 0
	for _, row := range v.Verdicts {
		if row.Same {
			same++
		}
	}
	return fmt.Sprintf("DIFFERENT, %d of %d the same", same, len(v.Verdicts))
}

// writeReasons tells what the verdicts that differ say.
func writeReasons(w io.Writer, c Comparison) error {
	say := func(id, name, column, message string) error {
		if message == "" {
			return nil
		}
		_, err := fmt.Fprintf(w, "\n%s, on %s:\n  %s\n", strings.TrimSuffix(id+": "+name, ": "), column, strings.ReplaceAll(message, "\n", "\n  "))
		return err
	}
	for _, v := range c.Variants {
		if v.Same {
			continue
		}
		for i, column := range c.Columns {
			if err := say(v.ID, "", column, v.Reasons[i]); err != nil {
				return err
			}
		}
		for _, row := range v.Verdicts {
			for i, column := range c.Columns {
				if row.Same {
					continue
				}
				if err := say(v.ID, row.Name, column, row.Messages[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
