// Package registry is the one shape of every extension point: an explicit, ordered list of entries, each with its
// name, its spec type, its usage and its code. Decoding, schema, docs, validation and dispatch come from that list.
package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Entry is one thing a scenario can name, for example the operation rollback.
type Entry[C any] struct {
	// Name is the key that chooses the entry in a scenario file.
	Name string
	// Summary is one sentence.
	Summary string
	// Example is YAML of the surrounding list item, as it would stand in a scenario.
	Example string
	// NewSpec returns a pointer to a new, zero spec.
	NewSpec func() any
	// Validate reports what a spec's types cannot say. Nil means that nothing more is to be checked.
	Validate func(spec any) []Problem
	// Code is what the entry does; its type is the registry's own.
	Code C
}

// Problem is a mistake in a spec.
type Problem struct {
	// Path is the field within the spec, for example "chain[1]"; empty for the spec as a whole.
	Path string
	// Message says what is wrong and what to do.
	Message string
}

// Info is an entry without its code: all that decoding, schema and docs need.
type Info struct {
	Name, Summary, Example string
	NewSpec                func() any
	Validate               func(spec any) []Problem
	// Where says, in a line for each provider, whether it can be had there; empty if that is no matter of theirs.
	Where []string
}

// Registry is an ordered list of entries.
type Registry[C any] struct {
	kind    string
	entries []Entry[C]
}

// New makes a registry. kind says what an entry is, for messages: "operation", "actor". It panics if two entries share
// a name: that is a mistake in this program and not in anything it is given, and since every registry is made from a
// fixed list, whatever test uses one meets it. An error would be one that no caller can get or answer.
func New[C any](kind string, entries ...Entry[C]) Registry[C] {
	seen := map[string]bool{}
	for _, e := range entries {
		if seen[e.Name] {
			panic(fmt.Sprintf("registry: %s %q is registered twice", kind, e.Name))
		}
		seen[e.Name] = true
	}
	return Registry[C]{kind: kind, entries: entries}
}

// Lookup finds an entry by name. Its error names the nearest entry.
func (r Registry[C]) Lookup(name string) (Entry[C], error) {
	for _, e := range r.entries {
		if e.Name == name {
			return e, nil
		}
	}
	return Entry[C]{}, fmt.Errorf("unknown %s %q%s", r.kind, name, Hint(name, r.Names()))
}

// Names lists the entries in their order.
func (r Registry[C]) Names() []string {
	names := make([]string, len(r.entries))
	for i, e := range r.entries {
		names[i] = e.Name
	}
	return names
}

// Infos lists the entries in their order, without their code.
func (r Registry[C]) Infos() []Info {
	infos := make([]Info, len(r.entries))
	for i, e := range r.entries {
		infos[i] = Info{Name: e.Name, Summary: e.Summary, Example: e.Example, NewSpec: e.NewSpec, Validate: e.Validate}
	}
	return infos
}

// Hint returns " (did you mean "x"?)" for the nearest known name, " (known: …)" if none is near, or nothing if there
// are no names.
func Hint(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	nearest := slices.MinFunc(known, func(a, b string) int {
		return distance(name, a) - distance(name, b)
	})
	if distance(name, nearest) <= tolerance(name) {
		return fmt.Sprintf(" (did you mean %q?)", nearest)
	}
	return fmt.Sprintf(" (known: %s)", strings.Join(known, ", "))
}

// tolerance is how many letters of a name may be wrong. Two swapped letters count as two, and of a short name two are
// most of it.
func tolerance(name string) int {
	if len(name) < 4 {
		return 1
	}
	return max(2, len(name)/3)
}

func distance(a, b string) int {
	return levenshtein.ComputeDistance(strings.ToLower(a), strings.ToLower(b))
}
