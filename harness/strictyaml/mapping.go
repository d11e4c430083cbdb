package strictyaml

import (
	"reflect"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
)

// pair is one key of a mapping with its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs lists a mapping's keys in order, without those that are no names or were there before.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	var all []pair
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch line, seen := first[key.Value]; {
		case key.Tag == "!!merge":
			d.report(position(key), path, "merge keys (<<) are not supported; write the fields out")
		case key.Kind != yaml.ScalarNode:
			d.report(position(key), path, "a key must be a name, found %s", describe(key))
		case seen:
			d.report(position(key), Join(path, key.Value), "is stated twice; it was on line %d before", line)
		default:
			first[key.Value] = key.Line
			all = append(all, pair{key.Value, key, value})
		}
	}
	return all
}

// structure decodes a mapping, or the scalar that stands for one, into a struct.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, p place) {
	known := d.fieldsOf(v.Type())
	seen := map[string]bool{}
	switch shorthand, short := fields.Shorthand(known); {
	case n.Kind == yaml.MappingNode:
		d.fields(n, v, p, seen)
	case n.Kind == yaml.ScalarNode && short:
		seen[shorthand.Name] = true
		d.value(n, shorthand.Of(v), place{path: p.path, at: p.at, field: shorthand})
	default:
		want := "{}"
		if names := d.names(known, p.entry); len(names) > 0 {
			want = "a mapping with the fields " + strings.Join(names, ", ")
		}
		d.report(position(n), p.path, "want %s, found %s", want, describe(n))
		return
	}
	for _, f := range known {
		if f.Required && !seen[f.Name] {
			d.report(p.at, Join(p.path, f.Name), "is required: %s", f.Doc)
		}
	}
}

// fields decodes the keys of a mapping into a struct's fields and notes which there are.
func (d *decoder) fields(n *yaml.Node, v reflect.Value, p place, seen map[string]bool) {
	known := d.fieldsOf(v.Type())
	var rest []pair
	for _, pair := range d.pairs(n, p.path) {
		f, ok := fields.Find(known, pair.name)
		if !ok {
			rest = append(rest, pair)
			continue
		}
		seen[f.Name] = true
		path := Join(p.path, f.Name)
		if p.entry != "" && !f.Known(p.entry) {
			d.report(position(pair.key), path, "%s does not have this field, only %s; remove it", p.entry, strings.Join(f.Only, ", "))
			continue
		}
		d.value(pair.value, f.Of(v), place{path: path, at: d.mark(path, pair), field: f})
	}
	for _, f := range known {
		if f.Registry != "" {
			d.choice(rest, f, v, p)
			return
		}
	}
	for _, pair := range rest {
		if d.result.Stopped {
			return
		}
		d.report(position(pair.key), Join(p.path, pair.name), "unknown field%s", hint(pair.name, d.names(known, p.entry)))
	}
}

// choice decodes the one key that names an entry of a registry, and reports the others as unknown.
func (d *decoder) choice(rest []pair, f fields.Field, v reflect.Value, p place) {
	kind := f.Registry
	choice := f.Of(v).Addr().Interface().(*v1alpha1.Choice)
	var unknown []pair
	for _, pair := range rest {
		info, ok := lookup(d.registries[kind], pair.name)
		if !ok {
			unknown = append(unknown, pair)
			continue
		}
		path := Join(p.path, pair.name)
		at := d.mark(path, pair)
		if choice.Kind != "" {
			d.report(position(pair.key), path, "is a second %s beside %s; keep one of them", kind, choice.Kind)
		}
		spec := info.NewSpec()
		d.spec(pair.value, reflect.ValueOf(spec).Elem(), place{path: path, at: at, entry: info.Name})
		if choice.Kind == "" {
			*choice = v1alpha1.Choice{Kind: info.Name, Spec: spec}
		}
	}
	known := d.names(d.fieldsOf(v.Type()), "")
	for _, pair := range unknown {
		if d.result.Stopped {
			break
		}
		d.report(position(pair.key), Join(p.path, pair.name), "is neither a field nor one of the %ss%s", kind, hint(pair.name, known))
	}
	if choice.Kind == "" && len(unknown) == 0 {
		d.report(p.at, p.path, "names no %s; add one of %s", kind, strings.Join(entryNames(d.registries[kind]), ", "))
	}
}

// spec decodes the value of a registry's entry.
func (d *decoder) spec(n *yaml.Node, v reflect.Value, p place) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.report(p.at, p.path, "has no value; write {} if nothing is to be set")
		return
	}
	d.value(n, v, p)
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, p place) {
	if n.Kind != yaml.MappingNode {
		d.report(position(n), p.path, "want a mapping, found %s", describe(n))
		return
	}
	if p.field.Required && len(n.Content) == 0 {
		d.report(p.at, p.path, "must not be empty: %s", p.field.Doc)
	}
	if v.Type().Elem().Kind() == reflect.Interface {
		if got, ok := d.free(n, p.path).(map[string]any); ok {
			v.Set(reflect.ValueOf(got))
		}
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, pair := range d.pairs(n, p.path) {
		key := reflect.New(v.Type().Key()).Elem()
		if !d.key(pair, key, p.path) {
			continue
		}
		inner := p
		inner.path = Join(p.path, pair.name)
		inner.at = d.mark(inner.path, pair)
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(pair.value, item, inner)
		v.SetMapIndex(key, item)
	}
}

// key decodes the key of a dictionary: a text or an integer.
func (d *decoder) key(pair pair, key reflect.Value, path string) bool {
	if !key.CanInt() {
		key.SetString(pair.name)
		return d.textKey(pair, path)
	}
	number, err := strconv.ParseInt(pair.name, 10, key.Type().Bits())
	if err != nil || number < 1 {
		d.report(position(pair.key), Join(path, pair.name), "want a key that is a number from 1, found %s", describe(pair.key))
		return false
	}
	key.SetInt(number)
	return true
}

func (d *decoder) textKey(pair pair, path string) bool {
	if pair.key.Tag == "!!str" || pair.key.Tag == "!!timestamp" {
		return true
	}
	d.report(position(pair.key), Join(path, pair.name), "want a key that is a text, found %s; quote it", describe(pair.key))
	return false
}

// mark notes where a field begins: its value if that is a scalar, else its key.
func (d *decoder) mark(path string, pair pair) Position {
	at := position(pair.key)
	if pair.value.Kind == yaml.ScalarNode && pair.value.Tag != "!!null" {
		at = position(pair.value)
	}
	d.result.Positions[path] = at
	return at
}

// names lists what can be a key: fields and, with a Choice among them, the entries of its registry.
func (d *decoder) names(known []fields.Field, entry string) []string {
	var names []string
	for _, f := range known {
		switch {
		case f.Registry != "":
			names = append(names, entryNames(d.registries[f.Registry])...)
		case entry == "" || f.Known(entry):
			names = append(names, f.Name)
		}
	}
	return names
}

func entryNames(infos []registry.Info) []string {
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names
}

func lookup(infos []registry.Info, name string) (registry.Info, bool) {
	for _, info := range infos {
		if info.Name == name {
			return info, true
		}
	}
	return registry.Info{}, false
}

// hint names the nearest known name. A long name is near to none, and costly to compare.
func hint(name string, known []string) string {
	const longest = 60
	return registry.Hint(name[:min(len(name), longest)], known)
}

// Join adds a key to a path, quoted if it is no plain name.
func Join(path, key string) string {
	plain := strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
	switch {
	case !plain || key == "" || len(key) > 60:
		return path + "[" + fields.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}
