package ownership

import (
	"slices"
	"strings"
)

// Change is one field whose managers differ between two states of an object.
type Change struct {
	Path   Path
	Gained []Manager
	Lost   []Manager
}

// String is, for example, ".spec.replicas lost hpa (Update, scale), gained helm (Apply)".
func (c Change) String() string {
	var parts []string
	if len(c.Lost) > 0 {
		parts = append(parts, "lost "+joinManagers(c.Lost))
	}
	if len(c.Gained) > 0 {
		parts = append(parts, "gained "+joinManagers(c.Gained))
	}
	return c.Path.String() + " " + strings.Join(parts, ", ")
}

func joinManagers(managers []Manager) string {
	texts := make([]string, len(managers))
	for i, m := range managers {
		texts[i] = m.String()
	}
	return strings.Join(texts, " and ")
}

// Diff lists every field that a manager owns in only one of two states of an object, sorted by path. A nil state is an
// object that does not exist.
func Diff(before, after map[string]any) ([]Change, error) {
	old, err := Entries(before)
	if err != nil {
		return nil, err
	}
	now, err := Entries(after)
	if err != nil {
		return nil, err
	}
	byPath := map[string]*Change{}
	only(old, now, byPath, func(c *Change, m Manager) { c.Lost = append(c.Lost, m) })
	only(now, old, byPath, func(c *Change, m Manager) { c.Gained = append(c.Gained, m) })
	changes := make([]Change, 0, len(byPath))
	for _, c := range byPath {
		changes = append(changes, *c)
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path.String(), b.Path.String()) })
	return changes, nil
}

// only notes each field of a that the same manager does not own in b.
func only(a, b []Entry, byPath map[string]*Change, note func(*Change, Manager)) {
	for _, e := range a {
		set := e.Fields
		for _, other := range b {
			if other.Manager == e.Manager {
				set = set.Difference(other.Fields)
			}
		}
		for fp := range set.All() {
			path := fromFieldpath(fp)
			text := path.String()
			if byPath[text] == nil {
				byPath[text] = &Change{Path: path}
			}
			note(byPath[text], e.Manager)
		}
	}
}

// Collapse leaves out changes below a field that the same managers gained or lost as a whole.
func Collapse(changes []Change) []Change {
	var out []Change
	for _, c := range changes {
		below := slices.ContainsFunc(out, func(top Change) bool {
			return len(top.Path) < len(c.Path) && top.Path.Covers(c.Path) &&
				slices.Equal(top.Gained, c.Gained) && slices.Equal(top.Lost, c.Lost)
		})
		if !below {
			out = append(out, c)
		}
	}
	return out
}
