// Package ownership reads managedFields: who owns which field of an object, what changed between two states, and since
// when. It is pure and works on evidence alone.
package ownership

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// ErrPath says that a text is no field path. It is wrapped with the text, the position and the cause.
var ErrPath = errors.New("not a field path")

// Path leads from an object to one of its fields. The empty path is the whole object. Its text is, for example,
// .spec.template.spec.containers[name=app].env[name=X].value, with ["dotted.key"] for a field whose name is no plain
// word, [0] for an index and [=value] for an item of a set. Keys need not be the list's merge keys and may be fewer:
// [name=http] finds a port that the API server knows as [containerPort=80,protocol=TCP].
type Path []Element

// Element is one part of a path. Exactly one of the fields is set, but that Field may be empty where all others are.
type Element struct {
	// Field is the name of a field.
	Field string
	// Keys choose the entries of a list in which these fields have these values, sorted by name.
	Keys []Key
	// Value chooses the items of a list that are equal to this scalar.
	Value *string
	// Index chooses an item of a list.
	Index *int
}

// Key is a field of a list entry and the text of its scalar.
type Key struct{ Name, Value string }

// ParsePath reads the text of a path. The error wraps ErrPath.
func ParsePath(text string) (Path, error) {
	p := parser{text: text}
	var path Path
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: %q: it is not UTF-8", ErrPath, text)
	}
	for p.pos < len(text) {
		e, err := p.element()
		if err != nil {
			return nil, fmt.Errorf("%w: %q: at character %d: %w", ErrPath, text, p.pos+1, err)
		}
		path = append(path, e)
	}
	return path, nil
}

type parser struct {
	text string
	pos  int
}

func (p *parser) element() (Element, error) {
	switch p.text[p.pos] {
	case '.':
		p.pos++
		name := p.until(".[]")
		if name == "" {
			return Element{}, errors.New("a field name must follow the dot")
		}
		return Element{Field: name}, nil
	case '[':
		p.pos++
		e, err := p.bracket()
		if err != nil {
			return Element{}, err
		}
		if !p.skip(']') {
			return Element{}, errors.New("] is missing")
		}
		return e, nil
	}
	return Element{}, errors.New("a field begins with . or [")
}

func (p *parser) bracket() (Element, error) {
	if p.skip('=') {
		v, err := p.scalar()
		return Element{Value: &v}, err
	}
	if p.peek('"') {
		name, err := p.scalar()
		return Element{Field: name}, err
	}
	var keys []Key
	for {
		name := p.until("=,]")
		if !p.skip('=') {
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 || len(keys) > 0 {
				return Element{}, fmt.Errorf(`%q is no index, key=value, =value or "field"`, name)
			}
			return Element{Index: &index}, nil
		}
		v, err := p.scalar()
		if err != nil {
			return Element{}, err
		}
		if name == "" || strings.HasPrefix(name, `"`) { // which would be a field if it came first
			return Element{}, errors.New("a key needs a name before =, and that without quotes")
		}
		keys = append(keys, Key{name, v})
		if !p.skip(',') {
			slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
			return Element{Keys: keys}, nil
		}
	}
}

// scalar reads a JSON string or all up to the end of the bracket or the next key.
func (p *parser) scalar() (string, error) {
	if !p.peek('"') {
		return p.until(",]"), nil
	}
	dec := json.NewDecoder(strings.NewReader(p.text[p.pos:]))
	var s string
	if err := dec.Decode(&s); err != nil {
		return "", errors.New("the quoted text is not closed or not well formed")
	}
	p.pos += int(dec.InputOffset())
	return s, nil
}

func (p *parser) until(stops string) string {
	end := strings.IndexAny(p.text[p.pos:], stops)
	if end < 0 {
		end = len(p.text) - p.pos
	}
	part := p.text[p.pos : p.pos+end]
	p.pos += end
	return part
}

func (p *parser) peek(c byte) bool { return p.pos < len(p.text) && p.text[p.pos] == c }

func (p *parser) skip(c byte) bool {
	if p.peek(c) {
		p.pos++
		return true
	}
	return false
}

// String is the text that ParsePath reads.
func (p Path) String() string {
	var b strings.Builder
	for _, e := range p {
		b.WriteString(e.String())
	}
	return b.String()
}

// String is the element as it stands in a path.
func (e Element) String() string {
	switch {
	case e.Index != nil:
		return "[" + strconv.Itoa(*e.Index) + "]"
	case e.Value != nil:
		return "[=" + quote(*e.Value, ",]\"") + "]"
	case e.Keys != nil:
		parts := make([]string, len(e.Keys))
		for i, k := range e.Keys {
			parts[i] = k.Name + "=" + quote(k.Value, ",]\"")
		}
		return "[" + strings.Join(parts, ",") + "]"
	case e.Field == "" || strings.ContainsAny(e.Field, ".[]\"/"):
		return "[" + jsonString(e.Field) + "]"
	}
	return "." + e.Field
}

func quote(s, special string) string {
	if strings.ContainsAny(s, special) {
		return jsonString(s)
	}
	return s
}

func jsonString(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // cannot be: a string always encodes
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Covers tells whether q is p or below it. A key of p may name fewer fields than q's.
func (p Path) Covers(q Path) bool {
	if len(q) < len(p) {
		return false
	}
	for i := range p {
		if !p[i].covers(q[i]) {
			return false
		}
	}
	return true
}

func (e Element) covers(f Element) bool {
	if e.Keys == nil || f.Keys == nil {
		return e.String() == f.String()
	}
	for _, k := range e.Keys {
		if !slices.Contains(f.Keys, k) {
			return false
		}
	}
	return true
}

func fromFieldpath(fp fieldpath.Path) Path {
	path := make(Path, len(fp))
	for i, pe := range fp {
		path[i] = fromPathElement(pe)
	}
	return path
}

func fromPathElement(pe fieldpath.PathElement) Element {
	switch {
	case pe.Key != nil:
		keys := make([]Key, len(*pe.Key))
		for i, f := range *pe.Key {
			keys[i] = Key{f.Name, valueText(f.Value)}
		}
		slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
		return Element{Keys: keys}
	case pe.Value != nil:
		text := valueText(*pe.Value)
		return Element{Value: &text}
	case pe.Index != nil:
		return Element{Index: pe.Index}
	case pe.FieldName != nil:
		return Element{Field: *pe.FieldName}
	}
	return Element{}
}

func valueText(v value.Value) string { return scalarText(v.Unstructured()) }

// scalarText is the text of a scalar as paths write it; "" for what is no scalar.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil, map[string]any, []any:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
