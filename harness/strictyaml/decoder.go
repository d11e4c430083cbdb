package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"rehearse.dev/rehearse/harness/schema/fields"
)

type decoder struct {
	registries Registries
	known      map[reflect.Type][]fields.Field // what fieldsOf has found
	result     *Result
	depth      int // levels below the root
	aliases    int // aliases that lead to the present value
	aliased    int // values that aliases have expanded to
}

// place is where a value stands and what its field's tags say of it.
type place struct {
	path  string
	at    Position // what a mistake about the value as a whole points at
	field fields.Field
	entry string // the registry entry that the value is the spec of
}

// fieldsOf lists the fields of a struct type.
func (d *decoder) fieldsOf(t reflect.Type) []fields.Field {
	if _, ok := d.known[t]; !ok {
		d.known[t] = fields.Of(t)
	}
	return d.known[t]
}

func fieldOf(t reflect.Type) fields.Field { return fields.Field{Type: t} }

func (d *decoder) report(at Position, path, format string, args ...any) {
	if !d.result.Stopped {
		d.result.Stopped = !d.result.Report(Problem{at, path, fmt.Sprintf(format, args...)})
	}
}

// enter follows aliases and guards against documents that expand without end. It returns nil if the value is not to
// be decoded. Otherwise leave must be called.
func (d *decoder) enter(n *yaml.Node, path string) (target *yaml.Node, leave func()) {
	steps := 0
	for ; n.Kind == yaml.AliasNode; n = n.Alias {
		steps++
	}
	if d.aliases+steps > 0 {
		d.aliased++
	}
	switch {
	case d.result.Stopped:
		return nil, nil
	case d.aliased > maxAliased:
		d.report(position(n), "", "aliases expand to more than %d values; write them out, or fewer of them", maxAliased)
		d.result.Stopped = true
		return nil, nil
	case d.depth == maxDepth:
		d.report(position(n), shorten(path), "is nested more than %d levels deep (an alias within its own anchor nests without end)", maxDepth)
		return nil, nil
	}
	d.depth++
	d.aliases += steps
	return n, func() {
		d.depth--
		d.aliases -= steps
	}
}

// shorten cuts a path that is too long to be read.
func shorten(path string) string {
	const longest = 100
	if len(path) <= longest {
		return path
	}
	return strings.ToValidUTF8(path[:longest], "") + "…"
}

// value decodes any value.
func (d *decoder) value(n *yaml.Node, v reflect.Value, p place) {
	n, leave := d.enter(n, p.path)
	if n == nil {
		return
	}
	defer leave()
	if v.Kind() == reflect.Interface {
		got := d.free(n, p.path)
		if got != nil {
			v.Set(reflect.ValueOf(got))
		}
		if n.Tag != "!!null" || !p.field.Required {
			return
		}
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.noValue(p)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case fields.IsDuration(v.Type()):
		d.duration(n, v, p)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, p)
	case v.Kind() == reflect.Map:
		d.dictionary(n, v, p)
	case v.Kind() == reflect.Slice:
		d.list(n, v, p)
	default:
		d.scalar(n, v, p)
	}
}

func (d *decoder) noValue(p place) {
	if p.field.Required {
		d.report(p.at, p.path, "has no value and must have one: %s", p.field.Doc)
		return
	}
	d.report(p.at, p.path, "has no value; give it one or remove it")
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, p place) {
	if n.Kind != yaml.SequenceNode {
		d.report(position(n), p.path, "want a list, found %s", describe(n))
		return
	}
	if p.field.Required && len(n.Content) == 0 {
		d.report(p.at, p.path, "must not be empty: %s", p.field.Doc)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		inner := p
		inner.path = index(p.path, i)
		inner.at = position(item)
		d.result.Positions[inner.path] = inner.at
		d.value(item, v.Index(i), inner)
	}
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
