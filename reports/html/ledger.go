package html

import (
	"fmt"
	"maps"
	"slices"

	"rehearse.dev/rehearse/harness/evidence"
)

// ledger is what Helm's storage held: a row per revision, a column per step.
type ledger struct {
	Release string
	Steps   []string
	Rows    []revision
	// Unreadable names records that could not be decoded, with the step and the reason.
	Unreadable []string
}

type revision struct {
	Number      int
	Chart       string
	Description string
	Cells       []ledgerCell
}

type ledgerCell struct {
	Status, Method string
	// Changed is set if it differs from the step before.
	Changed bool
	Title   string
}

func ledgerOf(b *evidence.Bundle) *ledger {
	l := &ledger{Release: b.Variant.Release}
	numbers := map[int]bool{}
	for _, s := range b.Snapshots {
		l.Steps = append(l.Steps, s.Step)
		for _, r := range s.Ledger.Revisions {
			numbers[r.Revision] = true
		}
		for _, name := range slices.Sorted(maps.Keys(s.Ledger.Unreadable)) {
			l.Unreadable = append(l.Unreadable, fmt.Sprintf("after step %s, %s cannot be read: %s", s.Step, name, s.Ledger.Unreadable[name]))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		l.Rows = append(l.Rows, revisionOf(b, n))
	}
	if len(l.Rows) == 0 && len(l.Unreadable) == 0 {
		return nil
	}
	return l
}

func revisionOf(b *evidence.Bundle, number int) revision {
	row := revision{Number: number}
	var before ledgerCell
	for i, s := range b.Snapshots {
		var cell ledgerCell
		for _, r := range s.Ledger.Revisions {
			if r.Revision != number {
				continue
			}
			cell = ledgerCell{Status: r.Status, Method: r.ApplyMethod, Title: fmt.Sprintf("%s (%d bytes stored)", r.Description, r.StorageBytes)}
			row.Chart, row.Description = r.Chart, r.Description
		}
		cell.Changed = i > 0 && (cell.Status != before.Status || cell.Method != before.Method)
		row.Cells = append(row.Cells, cell)
		before = cell
	}
	return row
}
