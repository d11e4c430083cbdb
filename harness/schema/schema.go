// Package schema describes the scenario format: as a JSON schema for editors and as text for readers. Both are made
// from the types and registries that decoding goes by.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// id names the schema. Nothing is served there.
const id = "https://rehearse.dev/schema/scenario." + v1alpha1.Version + ".json"

// object is a JSON object. Its keys are written in alphabetical order.
type object = map[string]any

type generator struct {
	registries strictyaml.Registries
	defs       object
}

// JSON returns the JSON schema (2020-12) of scenario files. It is as strict as decoding about structure; names, files
// and references are left to validation.
func JSON(registries strictyaml.Registries) ([]byte, error) {
	g := &generator{registries: registries, defs: object{}}
	root, err := g.structure(reflect.TypeFor[v1alpha1.Scenario](), "")
	if err != nil {
		return nil, fmt.Errorf("generating the schema: %w", err)
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = id
	root["title"] = v1alpha1.APIVersion + " " + v1alpha1.Kind
	root["$defs"] = g.defs
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return out.Bytes(), nil
}

// structure describes a struct, or the spec of a registry's entry if entry is not empty.
func (g *generator) structure(t reflect.Type, entry string) (object, error) {
	properties := object{}
	var required []string
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	all := fields.Of(t)
	for _, f := range all {
		if f.Registry != "" {
			if err := g.choice(f.Registry, schema); err != nil {
				return nil, err
			}
			continue
		}
		if entry != "" && !f.Known(entry) {
			continue
		}
		property, err := g.property(f)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), f.Name, err)
		}
		properties[f.Name] = property
		if f.Required {
			required = append(required, f.Name)
		}
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	if short, ok := fields.Shorthand(all); ok {
		bare, err := g.property(short)
		return object{"anyOf": []any{schema, bare}}, err
	}
	return schema, nil
}

// choice adds the entries of a registry to the object that holds exactly one of them.
func (g *generator) choice(kind string, schema object) error {
	properties, _ := schema["properties"].(object)
	var one []any
	for _, info := range g.registries[kind] {
		spec, err := g.structure(reflect.TypeOf(info.NewSpec()).Elem(), info.Name)
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind, info.Name, err)
		}
		name := kind + "." + info.Name
		g.defs[name] = spec
		properties[info.Name] = object{"$ref": "#/$defs/" + name, "description": info.Summary}
		one = append(one, object{"required": []string{info.Name}})
	}
	if len(one) > 0 {
		schema["oneOf"] = one
	}
	return nil
}

// property describes a field with all that its tags say.
func (g *generator) property(f fields.Field) (object, error) {
	property, err := g.value(f, f.Type)
	if err != nil {
		return nil, err
	}
	if f.Doc != "" {
		property["description"] = f.Doc
	}
	if f.Default == "" {
		return property, nil
	}
	property["default"] = f.Default
	if kind := fields.Deref(f.Type).Kind(); kind != reflect.String && !fields.IsDuration(fields.Deref(f.Type)) {
		value, err := f.Parse(f.Default)
		if err != nil {
			return nil, err
		}
		property["default"] = reflect.Indirect(value).Interface()
	}
	return property, nil
}

// value describes what a value of the type looks like in a file.
func (g *generator) value(f fields.Field, t reflect.Type) (object, error) {
	t = fields.Deref(t)
	switch {
	case fields.IsDuration(t):
		return object{"type": "string", "pattern": durationPattern}, nil
	case t.Kind() == reflect.Interface:
		return object{}, nil
	case t.Kind() == reflect.Struct:
		return g.reference(t)
	case t.Kind() == reflect.Slice:
		items, err := g.value(f, t.Elem())
		return atLeastOne(object{"type": "array", "items": items}, "minItems", f.Required), err
	case t.Kind() == reflect.Map:
		return g.dictionary(f, t)
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}, nil
	case t.Kind() == reflect.String:
		return text(f), nil
	case reflect.Zero(t).CanInt():
		return integer(f, t), nil
	}
	return nil, fmt.Errorf("the schema has no form for the Go type %s", t)
}

// reference returns a reference to a struct's definition, which is made on first use.
func (g *generator) reference(t reflect.Type) (object, error) {
	if _, ok := g.defs[t.Name()]; !ok {
		g.defs[t.Name()] = nil // taken, so that a type may refer to itself
		schema, err := g.structure(t, "")
		if err != nil {
			return nil, err
		}
		g.defs[t.Name()] = schema
	}
	return object{"$ref": "#/$defs/" + t.Name()}, nil
}

func (g *generator) dictionary(f fields.Field, t reflect.Type) (object, error) {
	items, err := g.value(f, t.Elem())
	if err != nil {
		return nil, err
	}
	schema := atLeastOne(object{"type": "object", "additionalProperties": items}, "minProperties", f.Required)
	if reflect.Zero(t.Key()).CanInt() {
		schema["propertyNames"] = object{"pattern": "^[1-9][0-9]*$"}
	}
	return schema, nil
}

func atLeastOne(schema object, keyword string, required bool) object {
	if required {
		schema[keyword] = 1
	}
	return schema
}

const (
	durationPattern = `^[+-]?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`
	namePattern     = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
)

func text(f fields.Field) object {
	if len(f.Enum) > 0 {
		return object{"enum": enum(f.Enum)}
	}
	schema := object{"type": "string"}
	if f.Bare {
		schema["type"] = []string{"string", "boolean", "number"}
	}
	if most, err := strconv.Atoi(f.MaxLength); err == nil {
		schema["maxLength"] = most
	}
	if f.Format == "name" {
		schema["pattern"] = namePattern
	}
	return atLeastOne(schema, "minLength", f.Required)
}

// enum lists the legal texts, and the booleans that may stand for them without quotes.
func enum(texts []string) []any {
	var all []any
	for _, text := range texts {
		all = append(all, text)
		if text == "true" || text == "false" {
			all = append(all, text == "true")
		}
	}
	return all
}

func integer(f fields.Field, t reflect.Type) object {
	schema := object{"type": "integer"}
	if least, err := strconv.Atoi(f.Min); err == nil {
		schema["minimum"] = least
	}
	if t.Bits() < 64 {
		schema["maximum"] = 1<<(t.Bits()-1) - 1
	}
	return schema
}

// entry finds an entry of a registry.
func entry(registries strictyaml.Registries, kind, name string) (registry.Info, error) {
	var names []string
	for _, info := range registries[kind] {
		if info.Name == name {
			return info, nil
		}
		names = append(names, info.Name)
	}
	return registry.Info{}, fmt.Errorf("there is no %s %q%s", kind, name, registry.Hint(name, names))
}
