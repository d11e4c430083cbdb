// Package strictyaml decodes one YAML document into the scenario types and reports every mistake at once, each with
// its line, its column, its field path, what is wrong and what would be right. It knows nothing of what a scenario
// means: names, references and files are checked by package scenario.
//
// It is stricter than YAML where a slip would go unseen: a field without a value is a mistake and not a default, a text
// is quoted if YAML would read it as something else, merge keys and custom tags are refused, and so is all that JSON
// cannot say.
package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"

	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
)

// Registries holds the entries of each registry by the name that the registry tag of a Choice gives.
type Registries map[string][]registry.Info

// Position is a place in a file; line and column count from 1.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Problem is one mistake in a document.
type Problem struct {
	Position
	// Path is the field, for example spec.steps[2].rollback.to; empty for the document as a whole.
	Path string `json:"path,omitempty"`
	// Message says what is wrong and what would be right.
	Message string `json:"message"`
}

// Text is a text of the document whose field has a format tag. The decoder does not check formats.
type Text struct {
	Position
	Path, Format, Value string
}

// Result is what decoding found beside the values.
type Result struct {
	// Problems are the mistakes by position; empty if there are none.
	Problems []Problem
	// Stopped is set if decoding ended before the document did: what comes later is not in the values.
	Stopped bool
	// Texts are the texts with a format, in the order of the document.
	Texts []Text
	// Positions is where each field and list item begins, by path.
	Positions map[string]Position
}

// Report adds a mistake, unless the result holds so many that no more are told. It reports whether there is room for
// further ones.
func (r *Result) Report(p Problem) bool {
	switch count := len(r.Problems); {
	case count < maxProblems:
		if runes := []rune(p.Message); len(runes) > maxMessage {
			p.Message = string(runes[:maxMessage]) + "…"
		}
		r.Problems = append(r.Problems, p)
		return true
	case count == maxProblems:
		r.Problems = append(r.Problems, Problem{Position: p.Position, Message: fmt.Sprintf("more than %d mistakes; the others are not told", maxProblems)})
	}
	return false
}

// At returns where a field begins, or the nearest field around it that the document holds.
func (r *Result) At(path string) Position {
	for path != "" {
		if at, ok := r.Positions[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return Position{Line: 1, Column: 1}
}

// Bounds of a document. They are far beyond what a scenario needs.
const (
	maxDepth    = 100    // levels of nesting
	maxAliased  = 10_000 // values that aliases expand to
	maxProblems = 1_000  // mistakes that are told
	maxMessage  = 500    // characters of a message, which may quote the document
)

// Decode decodes a document into the struct that into points to. What it fills is to be used only if there are no
// problems.
func Decode(data []byte, into any, registries Registries) *Result {
	d := &decoder{registries: registries, known: map[reflect.Type][]fields.Field{}, result: &Result{Positions: map[string]Position{}}}
	if root := d.parse(data); root != nil {
		v := reflect.ValueOf(into).Elem()
		d.value(root, v, place{at: position(root), field: fieldOf(v.Type())})
	}
	slices.SortStableFunc(d.result.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	return d.result
}

// parse returns the root of the one document, or nil after reporting why there is none.
func (d *decoder) parse(data []byte) *yaml.Node {
	if at, bad := binary(data); bad {
		d.report(at, "", "is not UTF-8 text; is it a binary file?")
		return nil
	}
	var root *yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			d.syntax(data, decoder, err)
			return nil
		}
		content := doc.Content[0]
		switch {
		case content.Kind == yaml.ScalarNode && content.Tag == "!!null":
		case root != nil:
			d.report(position(content), "", "a second document begins here; a file holds one document only: move it to a file of its own")
			return root
		default:
			root = content
		}
	}
	if root == nil {
		d.report(Position{1, 1}, "", "is empty")
	}
	return root
}

// binary finds the first byte that no YAML text may hold.
func binary(data []byte) (Position, bool) {
	at := Position{1, 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		control := r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
		if r == utf8.RuneError && size == 1 || control {
			return at, true
		}
		at.Column++
		if r == '\n' {
			at = Position{at.Line + 1, 1}
		}
		i += size
	}
	return at, false
}

func position(n *yaml.Node) Position { return Position{n.Line, n.Column} }
