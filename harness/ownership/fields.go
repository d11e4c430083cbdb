package ownership

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Manager is who wrote: a field manager, how it wrote and to which subresource. Two of them are the same manager only
// if all three are equal, as for the API server.
type Manager struct {
	Name        string
	Operation   string // Apply or Update
	Subresource string
}

// String is, for example, "hpa (Update, scale)".
func (m Manager) String() string {
	if m.Subresource == "" {
		return fmt.Sprintf("%s (%s)", m.Name, m.Operation)
	}
	return fmt.Sprintf("%s (%s, %s)", m.Name, m.Operation, m.Subresource)
}

func compareManagers(a, b Manager) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Operation, b.Operation),
		strings.Compare(a.Subresource, b.Subresource))
}

// Entry is one entry of managedFields.
type Entry struct {
	Manager
	Time   time.Time
	Fields *fieldpath.Set
}

// Entries reads an object's managedFields, sorted by manager. Entries that differ only in apiVersion become one.
func Entries(object map[string]any) ([]Entry, error) {
	meta, _ := object["metadata"].(map[string]any)
	raw, _ := meta["managedFields"].([]any)
	entries := make([]Entry, 0, len(raw))
	for i, item := range raw {
		e, err := readEntry(item)
		if err != nil {
			return nil, fmt.Errorf("managedFields[%d] of %v/%v: %w", i, object["kind"], meta["name"], err)
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return compareManagers(a.Manager, b.Manager) })
	return mergeEntries(entries), nil
}

func mergeEntries(sorted []Entry) []Entry {
	out := sorted[:0]
	for _, e := range sorted {
		last := len(out) - 1
		if last < 0 || out[last].Manager != e.Manager {
			out = append(out, e)
			continue
		}
		out[last].Fields = out[last].Fields.Union(e.Fields)
		if e.Time.After(out[last].Time) {
			out[last].Time = e.Time
		}
	}
	return out
}

func readEntry(item any) (Entry, error) {
	raw, err := json.Marshal(item)
	if err != nil {
		return Entry{}, err
	}
	var in struct {
		Manager, Operation, Subresource string
		Time                            time.Time
		FieldsV1                        json.RawMessage
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Entry{}, err
	}
	set := fieldpath.NewSet()
	if len(in.FieldsV1) > 0 {
		if err := set.FromJSON(bytes.NewReader(in.FieldsV1)); err != nil {
			return Entry{}, fmt.Errorf("fieldsV1 of %s: %w", in.Manager, err)
		}
	}
	return Entry{Manager{in.Manager, in.Operation, in.Subresource}, in.Time, set}, nil
}

// Owner is a manager that owns a field.
type Owner struct {
	Manager
	// Time is when it last changed the set of fields it owns or their values, in seconds.
	Time time.Time
	// Above is set if it owns an ancestor as a whole, not the field: an atomic list or map.
	Above bool
}

// Owners says who owns the field at path, sorted:
//
//   - every manager whose set holds the field itself or anything below it, so that the owners of a struct, list or map
//     are those of all its parts, and those of the empty path all managers with an entry;
//   - if there are none and the object has the field, every manager whose set holds an ancestor of it and nothing below
//     that: lists and maps that the API server treats as atomic are owned as a whole.
//
// A field that the object lacks, or that nobody wrote (the API server's defaults), has no owners.
func Owners(object map[string]any, path Path) ([]Owner, error) {
	entries, err := Entries(object)
	if err != nil {
		return nil, err
	}
	return ownersIn(entries, object, path), nil
}

func ownersIn(entries []Entry, object map[string]any, path Path) []Owner {
	var at, above []Owner
	for _, e := range entries {
		switch relate(e.Fields, object, path) {
		case holds:
			at = append(at, Owner{Manager: e.Manager, Time: e.Time})
		case holdsAncestor:
			above = append(above, Owner{Manager: e.Manager, Time: e.Time, Above: true})
		}
	}
	if at != nil {
		return at
	}
	if _, found := Value(object, path); found {
		return above
	}
	return nil
}

type relation int

const (
	apart relation = iota
	holdsAncestor
	holds
)

// relate says how a set of fields of an object stands to a path.
func relate(set *fieldpath.Set, object any, path Path) relation {
	if len(path) == 0 {
		if set.Empty() {
			return apart
		}
		return holds
	}
	best := apart
	visit := func(pe fieldpath.PathElement) {
		if best == holds || !chooses(path[0], pe, object) {
			return
		}
		child, inside := set.Children.Get(pe)
		switch {
		case len(path) == 1:
			best = holds
		case inside:
			best = max(best, relate(child, childOf(object, pe), path[1:]))
		default:
			best = max(best, holdsAncestor)
		}
	}
	set.Children.Iterate(visit)
	set.Members.Iterate(func(pe fieldpath.PathElement) {
		if _, inside := set.Children.Get(pe); !inside || len(path) == 1 {
			visit(pe)
		}
	})
	return best
}

// chooses tells whether a path's element means pe: by itself, or because it chooses the list entry that pe names.
func chooses(e Element, pe fieldpath.PathElement, parent any) bool {
	own := fromPathElement(pe)
	if e.covers(own) {
		return true
	}
	list, isList := parent.([]any)
	if !isList {
		return false
	}
	for i, item := range list {
		if own.fits(i, item) && e.fits(i, item) {
			return true
		}
	}
	return false
}

// fits tells whether e chooses the item of a list at an index.
func (e Element) fits(index int, item any) bool {
	switch {
	case e.Index != nil:
		return *e.Index == index
	case e.Value != nil:
		switch item.(type) {
		case map[string]any, []any:
			return false
		}
		return scalarText(item) == *e.Value
	case e.Keys != nil:
		fields, ok := item.(map[string]any)
		for _, k := range e.Keys {
			v, has := fields[k.Name]
			ok = ok && has && scalarText(v) == k.Value
		}
		return ok
	}
	return false
}

func childOf(parent any, pe fieldpath.PathElement) any {
	v, _ := step(parent, fromPathElement(pe))
	return v
}

// Value is the value at path; of several that it chooses, the first.
func Value(object map[string]any, path Path) (any, bool) {
	var current any = object
	for _, e := range path {
		next, ok := step(current, e)
		if !ok {
			return nil, false
		}
		current = next
	}
	return current, true
}

func step(parent any, e Element) (any, bool) {
	switch parent := parent.(type) {
	case map[string]any:
		if e.Keys != nil || e.Value != nil || e.Index != nil {
			return nil, false
		}
		v, ok := parent[e.Field]
		return v, ok
	case []any:
		for i, item := range parent {
			if e.fits(i, item) {
				return item, true
			}
		}
	}
	return nil, false
}
