package html

import (
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
)

// owners shows the fields of one object whose managers changed: a row per field, a column per step.
type owners struct {
	Object string
	Steps  []string
	Rows   []ownedField
	More   int
	// Error is why managedFields could not be read.
	Error string
}

type ownedField struct {
	Path  string
	Cells []ownerCell
}

type ownerCell struct {
	// Absent is set if there was no such object.
	Absent   bool
	Managers []ownership.Manager
	// Changed is set if it differs from the last step in which there was the object.
	Changed bool
}

// The most that is shown: more fields than that changed hands together, and the bundle has them all.
const (
	mostFields  = 25
	mostObjects = 30
)

// history is one object at the end of each step; nil where it was not there.
type history struct {
	name   string
	states []map[string]any
}

// ownersOf compares each object with itself at the end of the step before. note says what is left out.
func ownersOf(b *evidence.Bundle) (tables []*owners, note string) {
	left := 0
	for _, h := range historiesOf(b) {
		t := tableOf(h, b.Snapshots)
		switch {
		case t == nil:
		case len(tables) == mostObjects:
			left++
		default:
			tables = append(tables, t)
		}
	}
	if left > 0 {
		note = fmt.Sprintf("%d more objects changed hands; snapshots.jsonl has them.", left)
	}
	return tables, note
}

func historiesOf(b *evidence.Bundle) []*history {
	byKey := map[string]*history{}
	var all []*history
	for i, s := range b.Snapshots {
		for _, o := range s.Objects {
			meta, _ := o["metadata"].(map[string]any)
			name := fmt.Sprintf("%v/%v", o["kind"], meta["name"])
			group, _, _ := strings.Cut(fmt.Sprint(o["apiVersion"]), "/")
			key := fmt.Sprintf("%s|%v|%s", group, meta["namespace"], name)
			if byKey[key] == nil {
				byKey[key] = &history{name: name, states: make([]map[string]any, len(b.Snapshots))}
				all = append(all, byKey[key])
			}
			byKey[key].states[i] = o
		}
	}
	slices.SortStableFunc(all, func(a, b *history) int { return strings.Compare(a.name, b.name) })
	return all
}

// tableOf is nil if nothing changed hands.
func tableOf(h *history, snapshots []evidence.Snapshot) *owners {
	t := &owners{Object: h.name}
	for _, s := range snapshots {
		t.Steps = append(t.Steps, s.Step)
	}
	paths, err := contested(h)
	if err != nil {
		t.Error = err.Error()
		return t
	}
	for _, p := range paths {
		if len(t.Rows) == mostFields {
			t.More++
			continue
		}
		t.Rows = append(t.Rows, fieldOf(h, p))
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// contested lists the fields whose managers changed while the object was there. Fields of the status are left out:
// controllers write them all the time, and nobody rolls them back.
func contested(h *history) ([]ownership.Path, error) {
	seen := map[string]bool{}
	var paths []ownership.Path
	var before map[string]any
	for _, now := range h.states {
		if before != nil && now != nil {
			changes, err := ownership.Diff(before, now)
			if err != nil {
				return nil, err
			}
			for _, c := range ownership.Collapse(changes) {
				text := c.Path.String()
				if seen[text] || text == ".status" || strings.HasPrefix(text, ".status.") {
					continue
				}
				seen[text] = true
				paths = append(paths, c.Path)
			}
		}
		if now != nil {
			before = now
		}
	}
	slices.SortFunc(paths, func(a, b ownership.Path) int { return strings.Compare(a.String(), b.String()) })
	return paths, nil
}

func fieldOf(h *history, path ownership.Path) ownedField {
	row := ownedField{Path: path.String()}
	var before []ownership.Manager
	known := false
	for _, state := range h.states {
		if state == nil {
			row.Cells = append(row.Cells, ownerCell{Absent: true})
			continue
		}
		cell := ownerCell{}
		// What cannot be read was told by contested.
		all, _ := ownership.Owners(state, path)
		for _, o := range all {
			cell.Managers = append(cell.Managers, o.Manager)
		}
		cell.Changed = known && !slices.Equal(cell.Managers, before)
		before, known = cell.Managers, true
		row.Cells = append(row.Cells, cell)
	}
	return row
}
