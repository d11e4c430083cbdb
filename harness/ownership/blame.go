package ownership

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
)

// ErrNoHistory says that the timeline holds no version of an object.
var ErrNoHistory = errors.New("the timeline has no version of the object")

// Since is the point in the timeline from which on something has held.
type Since struct {
	// Seq is the event of the first object version in which it held.
	Seq int64
	// Step was under way; empty before the first step.
	Step string
	At   time.Duration
	// By are the managers that wrote that version, those that own the field if they are among them. Empty if the
	// version does not tell: the object was there when watching began, or it was deleted.
	By []Manager
}

// String is, for example, `since step "back" (+12.3s), by helm (Apply)`.
func (s Since) String() string {
	text := fmt.Sprintf("since before the first step (+%s)", round(s.At))
	if s.Step != "" {
		text = fmt.Sprintf("since step %q (+%s)", s.Step, round(s.At))
	}
	if len(s.By) > 0 {
		text += ", by " + joinManagers(s.By)
	}
	return text
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// History says since when a field has had its value and its owners.
type History struct {
	Value  Since
	Owners Since
}

// Blame goes back from the last version of an object up to the event until (0: the end) and says since when the field
// at path has had the value and the owners that it has there. The empty path asks about the whole object, whose value
// changes with its existence only. An object that was deleted is blamed on its deletion.
func Blame(b *evidence.Bundle, ref evidence.Ref, path Path, until int64) (History, error) {
	versions := versionsOf(b, ref, until)
	if len(versions) == 0 {
		return History{}, fmt.Errorf("%w %s", ErrNoHistory, ref)
	}
	newest, err := readState(b, versions[len(versions)-1], path)
	if err != nil {
		return History{}, err
	}
	h := History{Value: newest.since, Owners: newest.since}
	valueHolds, ownersHold, later := true, true, newest
	for i := len(versions) - 2; (valueHolds || ownersHold) && i >= -1; i-- {
		earlier := state{}
		if i >= 0 {
			if earlier, err = readState(b, versions[i], path); err != nil {
				return History{}, err
			}
		}
		by := writers(earlier, later)
		if valueHolds {
			h.Value = later.since
			h.Value.By = by
			valueHolds = i >= 0 && earlier.exists == newest.exists && reflect.DeepEqual(earlier.value, newest.value)
		}
		if ownersHold {
			h.Owners = later.since
			h.Owners.By = by
			ownersHold = i >= 0 && earlier.exists == newest.exists && slices.Equal(earlier.owners, newest.owners)
		}
		later = earlier
	}
	return h, nil
}

func versionsOf(b *evidence.Bundle, ref evidence.Ref, until int64) []evidence.Event {
	var versions []evidence.Event
	for _, e := range b.Timeline {
		if until > 0 && e.Seq > until {
			break
		}
		if e.Object == nil {
			continue
		}
		r := e.Object.Ref
		if r.Kind == ref.Kind && r.Name == ref.Name && r.Namespace == ref.Namespace && r.Group == ref.Group {
			versions = append(versions, e)
		}
	}
	return versions
}

// state is what one version says about a field.
type state struct {
	since   Since
	initial bool
	exists  bool
	value   any
	owners  []Manager
	entries []Entry
}

func readState(b *evidence.Bundle, e evidence.Event, path Path) (state, error) {
	s := state{
		since:   Since{Seq: e.Seq, Step: e.Step, At: e.At},
		initial: e.Object.Change == evidence.Initial,
		exists:  e.Object.Change != evidence.Deleted,
	}
	if !s.exists {
		return s, nil
	}
	object, err := b.Object(e.Seq)
	if err != nil {
		return s, err
	}
	if s.entries, err = Entries(object); err != nil {
		return s, err
	}
	for _, o := range ownersIn(s.entries, object, path) {
		s.owners = append(s.owners, o.Manager)
	}
	if len(path) > 0 {
		s.value, _ = Value(object, path)
	}
	return s, nil
}

// writers are the managers whose entries changed from one version to the next.
func writers(earlier, later state) []Manager {
	if !later.exists || later.initial {
		return nil
	}
	var all []Manager
	for _, e := range later.entries {
		unchanged := slices.ContainsFunc(earlier.entries, func(o Entry) bool {
			return o.Manager == e.Manager && o.Time.Equal(e.Time) && o.Fields.Equals(e.Fields)
		})
		if !unchanged {
			all = append(all, e.Manager)
		}
	}
	owning := slices.DeleteFunc(slices.Clone(all), func(m Manager) bool { return !slices.Contains(later.owners, m) })
	switch {
	case len(owning) > 0:
		return owning
	case len(all) > 0:
		return all
	}
	return later.owners
}
