// Package fields reads the struct tags of the scenario types. Decoding, defaults, schema and help all see a type
// through it, so they cannot disagree. It imports nothing of ours.
package fields

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Field is one field of a scenario type as its tags describe it.
type Field struct {
	// Name is the key in a scenario file.
	Name string
	// Index leads to the field within its struct, through embedded ones.
	Index []int
	// Type is the field's Go type.
	Type reflect.Type
	// Doc is its description.
	Doc string
	// Required fields must be present.
	Required bool
	// Enum lists the legal values; empty if any will do.
	Enum []string
	// Default is the value that an absent field takes, as text; empty if it has none.
	Default string
	// Format names the syntax of a text: ref, path, name, step, actor, fault, regexp or issue. Of a list it is the items'.
	Format string
	// Min is the smallest legal number or duration. Durations are positive if it is empty.
	Min string
	// MaxLength is the longest legal text; 0 if any will do.
	MaxLength string
	// Shorthand marks the field that a bare scalar in place of the struct fills.
	Shorthand bool
	// Bare lets texts be written as bare numbers and booleans.
	Bare bool
	// Only lists the registry entries that know the field; empty if all that have it do.
	Only []string
	// Registry names the registry a Choice is made from; such a field has no name of its own.
	Registry string
}

// Of lists the fields of a struct type in order, those of embedded structs in their place.
func Of(t reflect.Type) []Field {
	var all []Field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if !sf.IsExported() || name == "-" {
			continue
		}
		if sf.Anonymous && options == "inline" {
			for _, f := range Of(sf.Type) {
				f.Index = slices.Concat([]int{i}, f.Index)
				all = append(all, f)
			}
			continue
		}
		all = append(all, Field{
			Name:      cmp.Or(name, sf.Tag.Get("registry")),
			Index:     []int{i},
			Type:      sf.Type,
			Doc:       sf.Tag.Get("doc"),
			Required:  sf.Tag.Get("required") == "true",
			Enum:      list(sf.Tag.Get("enum")),
			Default:   sf.Tag.Get("default"),
			Format:    sf.Tag.Get("format"),
			Min:       sf.Tag.Get("min"),
			MaxLength: sf.Tag.Get("maxLength"),
			Shorthand: sf.Tag.Get("shorthand") == "true",
			Bare:      sf.Tag.Get("bare") == "true",
			Only:      list(sf.Tag.Get("only")),
			Registry:  sf.Tag.Get("registry"),
		})
	}
	return all
}

func list(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, ",")
}

// Names lists the names of fields that can be keys of a mapping.
func Names(all []Field) []string {
	var names []string
	for _, f := range all {
		if f.Registry == "" {
			names = append(names, f.Name)
		}
	}
	return names
}

// Find returns the field of that name.
func Find(all []Field, name string) (Field, bool) {
	i := slices.IndexFunc(all, func(f Field) bool { return f.Registry == "" && f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return all[i], true
}

// Shorthand returns the field that a bare scalar fills.
func Shorthand(all []Field) (Field, bool) {
	i := slices.IndexFunc(all, func(f Field) bool { return f.Shorthand })
	if i < 0 {
		return Field{}, false
	}
	return all[i], true
}

// Known reports whether the registry entry of that name knows the field.
func (f Field) Known(entry string) bool {
	return len(f.Only) == 0 || slices.Contains(f.Only, entry)
}

// Of returns the field within a struct.
func (f Field) Of(structure reflect.Value) reflect.Value { return structure.FieldByIndex(f.Index) }

var durationType = reflect.TypeFor[metav1.Duration]()

// IsDuration reports whether values of the type are durations.
func IsDuration(t reflect.Type) bool { return t == durationType }

// Deref returns what a pointer type points to, and any other type itself.
func Deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
