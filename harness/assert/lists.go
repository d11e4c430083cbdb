package assert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"rehearse.dev/rehearse/harness/ownership"
)

// kindOfList says how the entries of two lists are matched: by keys, as a set, or by position.
type kindOfList struct {
	keys []string
	set  bool
}

// mergeKeys are the keys of lists that nobody owns yet, most telling first.
var mergeKeys = [][]string{
	{"name"},
	{"containerPort", "protocol"},
	{"port", "protocol"},
	{"mountPath"},
	{"devicePath"},
	{"ip"},
	{"type"},
	{"topologyKey", "whenUnsatisfiable"},
	{"uid"},
}

// listKind asks managedFields first, since the API server writes there which lists it merges and by which keys; one
// that is owned as a whole is matched by position. A list that nobody owns is guessed from its entries.
func listKind(want, live []any, fields *fieldpath.Set) kindOfList {
	if fields != nil {
		return kindIn(fields)
	}
	for _, keys := range mergeKeys {
		if keysFit(keys, want) && keysFit(keys, live) && len(want)+len(live) > 0 {
			return kindOfList{keys: keys}
		}
	}
	return kindOfList{}
}

func kindIn(fields *fieldpath.Set) kindOfList {
	var kind kindOfList
	look := func(pe fieldpath.PathElement) {
		switch {
		case kind.set || kind.keys != nil:
		case pe.Key != nil:
			for _, f := range *pe.Key {
				kind.keys = append(kind.keys, f.Name)
			}
		case pe.Value != nil:
			kind.set = true
		}
	}
	fields.Children.Iterate(look)
	fields.Members.Iterate(look)
	return kind
}

// keysFit tells whether keys tell all entries of a list apart.
func keysFit(keys []string, list []any) bool {
	seen := map[string]bool{}
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok || m[keys[0]] == nil {
			return false
		}
		id := keyElement(item, keys).String()
		if seen[id] {
			return false
		}
		seen[id] = true
	}
	return true
}

// sameKey tells whether an entry is the one that a wanted entry means. The wanted one may leave out some keys, as
// partial matches do; one without any of them is compared by its name.
func sameKey(want, live any, keys []string) bool {
	w, ok := want.(map[string]any)
	l, ok2 := live.(map[string]any)
	if !ok || !ok2 {
		return false
	}
	stated := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return w[k] == nil })
	if len(stated) == 0 {
		stated = []string{"name"}
	}
	for _, k := range stated {
		if w[k] == nil || keyText(w, k) != keyText(l, k) {
			return false
		}
	}
	return !slices.Contains(keys, "protocol") || keyText(l, "protocol") == keyText(w, "protocol")
}

// keyText is the text of a key; ports are TCP unless they say otherwise.
func keyText(m map[string]any, key string) string {
	if m[key] == nil {
		if key == "protocol" {
			return "TCP"
		}
		return ""
	}
	if n, ok := number(m[key]); ok {
		return fmt.Sprint(n)
	}
	return fmt.Sprint(m[key])
}

// keyElement is the part of a path that chooses an entry.
func keyElement(item any, keys []string) ownership.Element {
	m, _ := item.(map[string]any)
	var e ownership.Element
	for _, k := range keys {
		if m[k] != nil {
			e.Keys = append(e.Keys, ownership.Key{Name: k, Value: keyText(m, k)})
		}
	}
	if len(e.Keys) == 0 {
		e.Keys = []ownership.Key{{Name: "name", Value: keyText(m, "name")}}
	}
	slices.SortFunc(e.Keys, func(a, b ownership.Key) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
	return e
}

// entrySet is what managers own within one entry of a list.
func entrySet(fields *fieldpath.Set, live any, keys []string) *fieldpath.Set {
	if fields == nil {
		return nil
	}
	var found *fieldpath.Set // an entry that nobody owns has none
	fields.Children.Iterate(func(pe fieldpath.PathElement) {
		if pe.Key == nil || found != nil {
			return
		}
		m, _ := live.(map[string]any)
		for _, f := range *pe.Key {
			if !slices.Contains(keys, f.Name) || keyText(m, f.Name) != keyText(map[string]any{f.Name: f.Value.Unstructured()}, f.Name) {
				return
			}
		}
		found, _ = fields.Children.Get(pe)
	})
	return found
}
