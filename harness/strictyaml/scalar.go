package strictyaml

import (
	"math"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	yaml "go.yaml.in/yaml/v3"

	"rehearse.dev/rehearse/harness/schema/fields"
)

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, p place) {
	if n.Kind != yaml.ScalarNode {
		d.report(position(n), p.path, "want %s, found %s", wanted(v, p.field), describe(n))
		return
	}
	switch {
	case v.Kind() == reflect.String:
		d.text(n, v, p)
	case v.Kind() == reflect.Bool && isBool(n):
		v.SetBool(isTrue(n))
	case v.CanInt() && n.Tag == "!!int":
		number, err := p.field.ParseInt(n.Value, v.Type().Bits())
		if err != nil {
			d.report(position(n), p.path, "%s", err)
			return
		}
		v.SetInt(number)
	case n.Tag == "!!str" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		d.report(position(n), p.path, "want %s, found %s; remove the quotes", wanted(v, p.field), describe(n))
	default:
		d.report(position(n), p.path, "want %s, found %s", wanted(v, p.field), describe(n))
	}
}

// isBool reports whether a scalar is true or false; an explicit tag could call anything so.
func isBool(n *yaml.Node) bool {
	return n.Tag == "!!bool" && (isTrue(n) || strings.EqualFold(n.Value, "false"))
}

func isTrue(n *yaml.Node) bool { return strings.EqualFold(n.Value, "true") }

func (d *decoder) text(n *yaml.Node, v reflect.Value, p place) {
	text := n.Value
	if n.Tag == "!!bool" {
		text = strings.ToLower(text)
	}
	bare := p.field.Bare || slices.Contains(p.field.Enum, text)
	switch {
	case n.Tag == "!!str", n.Tag == "!!timestamp":
	case bare && (n.Tag == "!!bool" || n.Tag == "!!int" || n.Tag == "!!float"):
	case len(p.field.Enum) > 0:
		d.report(position(n), p.path, "want one of %s, found %s", strings.Join(p.field.Enum, ", "), describe(n))
		return
	default:
		d.report(position(n), p.path, "want a text, found %s; quote it", describe(n))
		return
	}
	if err := p.field.CheckText(text); err != nil {
		d.report(position(n), p.path, "%s", err)
		return
	}
	if text == "" && p.field.Required {
		d.report(position(n), p.path, "must not be empty: %s", p.field.Doc)
		return
	}
	v.SetString(text)
	if p.field.Format != "" && text != "" {
		d.result.Texts = append(d.result.Texts, Text{position(n), p.path, p.field.Format, text})
	}
}

func (d *decoder) duration(n *yaml.Node, v reflect.Value, p place) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!int":
		d.report(position(n), p.path, "want a duration such as 30s or 1m30s, found %s; it needs a unit", describe(n))
		return
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		d.report(position(n), p.path, "want a duration such as 30s or 1m30s, found %s", describe(n))
		return
	}
	duration, err := p.field.ParseDuration(n.Value)
	if err != nil {
		d.report(position(n), p.path, "%s", err)
		return
	}
	v.Set(reflect.ValueOf(metav1.Duration{Duration: duration}))
}

func wanted(v reflect.Value, f fields.Field) string {
	switch {
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanInt():
		return "an integer"
	case len(f.Enum) > 0:
		return "one of " + strings.Join(f.Enum, ", ")
	default:
		return "a text"
	}
}

// describe says what a value is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "the alias *" + n.Value
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return n.Value
	case "!!int":
		return "the integer " + cut(n.Value)
	case "!!float":
		return "the number " + cut(n.Value)
	default:
		return "the text " + fields.Quote(n.Value)
	}
}

func cut(text string) string {
	quoted := fields.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// free decodes a value of any type into what JSON knows: nil, bool, int64, float64, string, []any, map[string]any.
func (d *decoder) free(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		all := map[string]any{}
		for _, pair := range d.pairs(n, path) {
			if inner, ok := d.inner(pair.value, Join(path, pair.name)); ok && d.textKey(pair, path) {
				all[pair.name] = inner
			}
		}
		return all
	case yaml.SequenceNode:
		all := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			inner, _ := d.inner(item, index(path, i))
			all = append(all, inner)
		}
		return all
	default:
		return d.freeScalar(n, path)
	}
}

func (d *decoder) inner(n *yaml.Node, path string) (any, bool) {
	n, leave := d.enter(n, path)
	if n == nil {
		return nil, false
	}
	defer leave()
	return d.free(n, path), true
}

func (d *decoder) freeScalar(n *yaml.Node, path string) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!str", "!!timestamp":
		return n.Value
	case "!!bool":
		if isBool(n) {
			return isTrue(n)
		}
		d.report(position(n), path, "want true or false, found %s", cut(n.Value))
	case "!!int":
		var number int64
		if err := n.Decode(&number); err == nil {
			return number
		}
		d.report(position(n), path, "want an integer of at most 64 bits, found %s", cut(n.Value))
	case "!!float":
		var number float64
		if err := n.Decode(&number); err == nil && !math.IsNaN(number) && !math.IsInf(number, 0) {
			return number
		}
		d.report(position(n), path, "want a number that JSON knows, found %s", cut(n.Value))
	default:
		d.report(position(n), path, "the tag %s is not supported; write a plain value", cut(n.Tag))
	}
	return nil
}
