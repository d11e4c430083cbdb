package assert

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
)

// comparer compares the fields that a wanted object states with a live one. What the wanted one leaves out may have
// any value. A field without a value (null, false, 0, "", an empty map) equals an absent one, as API servers drop it.
type comparer struct {
	// fields are those that any manager owns; nil if none does. They tell the kinds of lists apart, which JSON does not.
	fields *fieldpath.Set
	// partial: the wanted object is a part of one that a scenario states. There null means that the field is absent,
	// which otherwise states nothing, and secret values cannot be compared, as the evidence has them as hashes.
	partial bool
	// strict: entries of lists that are not wanted are differences too.
	strict bool
	diffs  []difference
	// live is the object as a whole.
	live map[string]any
}

// difference is one field that is not as wanted.
type difference struct {
	path       ownership.Path
	want, seen string
	// hidden: the live value is a secret's hash.
	hidden bool
	// extra: the live value is not wanted at all.
	extra bool
}

func newComparer(live map[string]any) *comparer {
	c := &comparer{live: live}
	entries, err := ownership.Entries(live)
	if err != nil { // lists are then told apart by their entries alone
		return c
	}
	all := fieldpath.NewSet()
	for _, e := range entries {
		all = all.Union(e.Fields)
	}
	if !all.Empty() {
		c.fields = all
	}
	return c
}

func (c *comparer) object(want map[string]any) []difference {
	c.maps(nil, want, c.live, c.fields)
	return c.diffs
}

func (c *comparer) differ(path ownership.Path, want, seen any) {
	c.diffs = append(c.diffs, difference{path: slices.Clone(path), want: show(want), seen: show(seen), hidden: hidden(seen)})
}

// hidden tells whether a value holds a secret's hash.
func hidden(v any) bool {
	text, _ := v.(string)
	return strings.Contains(text, evidence.RedactedPrefix)
}

func (c *comparer) value(path ownership.Path, want, live any, fields *fieldpath.Set) {
	switch w := want.(type) {
	case nil:
		if c.partial && !isEmpty(live) {
			c.differ(path, nil, live)
		}
		return
	case map[string]any:
		if l, ok := live.(map[string]any); ok {
			c.maps(path, w, l, fields)
			return
		}
	case []any:
		if l, ok := live.([]any); ok {
			c.lists(path, w, l, fields)
			return
		}
	}
	if live == nil && isEmpty(want) || equalScalars(path, want, live) && !(c.partial && hidden(live)) {
		return
	}
	c.differ(path, want, live)
}

func (c *comparer) maps(path ownership.Path, want, live map[string]any, fields *fieldpath.Set) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		c.value(below(path, ownership.Element{Field: key}), want[key], live[key], childSet(fields, fieldpath.FieldNameElement(key)))
	}
	if !c.strict {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(live)) {
		if _, wanted := want[key]; !wanted {
			c.extras(below(path, ownership.Element{Field: key}), live[key], fields, fieldpath.FieldNameElement(key))
		}
	}
}

// extras reports lists that nothing wanted and some manager wrote; what nobody owns is an API server's default.
func (c *comparer) extras(path ownership.Path, live any, parent *fieldpath.Set, pe fieldpath.PathElement) {
	if path[0].Field == "metadata" || path[0].Field == "status" {
		return
	}
	fields := childSet(parent, pe)
	if fields == nil {
		return
	}
	switch l := live.(type) {
	case map[string]any:
		c.maps(path, nil, l, fields)
	case []any:
		if !fields.Empty() {
			c.lists(path, nil, l, fields)
		} else if len(l) > 0 {
			c.extra(path, l)
		}
	}
}

func (c *comparer) extra(path ownership.Path, live any) {
	c.diffs = append(c.diffs, difference{path: slices.Clone(path), seen: show(live), extra: true})
}

func (c *comparer) lists(path ownership.Path, want, live []any, fields *fieldpath.Set) {
	kind := listKind(want, live, fields)
	switch {
	case kind.keys != nil:
		c.keyed(path, want, live, fields, kind.keys)
	case kind.set:
		c.sets(path, want, live)
	case len(want) != len(live):
		c.differ(path, want, live)
	default:
		for i := range want {
			c.value(below(path, ownership.Element{Index: &i}), want[i], live[i], fields)
		}
	}
}

func (c *comparer) keyed(path ownership.Path, want, live []any, fields *fieldpath.Set, keys []string) {
	used := make([]bool, len(live))
	for _, w := range want {
		at := slices.IndexFunc(live, func(l any) bool { return sameKey(w, l, keys) })
		for at >= 0 && at < len(live) && (used[at] || !sameKey(w, live[at], keys)) {
			at++ // an entry may stand in the list twice
		}
		element := keyElement(w, keys)
		if at < 0 || at == len(live) {
			c.differ(below(path, element), w, nil)
			continue
		}
		used[at] = true
		c.value(below(path, element), w, live[at], entrySet(fields, live[at], keys))
	}
	for i, l := range live {
		if c.strict && !used[i] {
			c.extra(below(path, keyElement(l, keys)), l)
		}
	}
}

func (c *comparer) sets(path ownership.Path, want, live []any) {
	in := func(list []any, item any) bool {
		return slices.ContainsFunc(list, func(other any) bool { return equalScalars(path, item, other) })
	}
	for _, w := range want {
		if !in(live, w) {
			text := fmt.Sprint(w)
			c.differ(below(path, ownership.Element{Value: &text}), w, nil)
		}
	}
	for _, l := range live {
		if c.strict && !in(want, l) {
			text := fmt.Sprint(l)
			c.extra(below(path, ownership.Element{Value: &text}), l)
		}
	}
}

func below(path ownership.Path, e ownership.Element) ownership.Path {
	return append(slices.Clip(path), e)
}

// childSet is what managers own within a field: nil if nobody owns anything of it, and empty if it is owned as a whole,
// as atomic lists and maps are, and with them all that they hold.
func childSet(fields *fieldpath.Set, pe fieldpath.PathElement) *fieldpath.Set {
	if fields == nil || fields.Empty() {
		return fields
	}
	if child, ok := fields.Children.Get(pe); ok {
		return child
	}
	if fields.Members.Has(pe) {
		return fieldpath.NewSet()
	}
	return nil
}

// isEmpty tells whether v is what API servers treat like an absent field.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			if !isEmpty(child) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	case nil:
		return true
	}
	return reflect.ValueOf(v).IsZero()
}

func equalScalars(path ownership.Path, want, live any) bool {
	if w, ok := number(want); ok {
		if l, ok := number(live); ok {
			return w == l
		}
	}
	if reflect.DeepEqual(want, live) {
		return true
	}
	return isQuantity(path) && equalQuantities(want, live)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return math.NaN(), false
}

// isQuantity tells whether Kubernetes reads the field as a quantity, so that 1000m and 1 are the same.
func isQuantity(path ownership.Path) bool {
	for i, e := range path {
		switch e.Field {
		case "limits", "requests", "capacity", "allocatable", "hard", "overhead", "max", "min", "default",
			"defaultRequest", "maxLimitRequestRatio":
			if i > 0 && i == len(path)-2 {
				return path[0].Field == "spec"
			}
		case "sizeLimit", "divisor", "averageValue":
			return i == len(path)-1
		}
	}
	return false
}

func equalQuantities(want, live any) bool {
	w, err := resource.ParseQuantity(fmt.Sprint(want))
	if err != nil {
		return false
	}
	l, err := resource.ParseQuantity(fmt.Sprint(live))
	return err == nil && w.Cmp(l) == 0
}

// maxShown is how much of a value a message shows.
const maxShown = 160

// show is a value as messages write it.
func show(v any) string {
	if v == nil {
		return "nothing"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	runes := []rune(string(raw))
	if len(runes) <= maxShown {
		return string(raw)
	}
	return string(runes[:maxShown]) + "…"
}
