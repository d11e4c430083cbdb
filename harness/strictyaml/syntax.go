package strictyaml

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

var syntaxError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// syntax reports what is no YAML. The library's own message names no column and often another line: mostly that before the
// one on which the block or the bracket began that it was in.
func (d *decoder) syntax(data []byte, decoder *yaml.Decoder, err error) {
	at, message := Position{1, 1}, err.Error()
	if m := syntaxError.FindStringSubmatch(message); m != nil {
		message = m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.Line = line
		}
	}
	if f, ok := troubleOf(decoder, data); ok {
		text := strings.Split(string(bytes.TrimRight(data, " \t\r\n")), "\n")
		var hint string
		at, hint = f.place(text)
		message += hint
	}
	switch {
	case strings.Contains(message, "cannot start any token"):
		message += " (is it a tab? YAML is indented with spaces)"
	case strings.Contains(message, "found a tab"):
		message += "; YAML is indented with spaces"
	}
	d.report(at, "", "is not valid YAML: %s", message)
}

// trouble is what the library knows of an error.
type trouble struct {
	context        string   // what it was at
	began, noticed Position // where that began, and where it could not go on
}

// troubleOf reads what the library does not tell: its fields have no accessors. It is false if they are others than they
// were.
func troubleOf(decoder *yaml.Decoder, data []byte) (f trouble, ok bool) {
	outer := field(reflect.ValueOf(decoder).Elem(), "parser")
	inner := field(outer, "parser")
	problem := field(inner, "problem")
	if !problem.IsValid() || problem.Kind() != reflect.String {
		return f, false
	}
	if problem.String() == "" { // all was read, and what it says cannot be
		f.noticed, ok = markOf(field(outer, "event"), "start_mark")
		return f, ok
	}
	if at := field(inner, "problem_offset"); at.IsValid() && at.CanInt() && at.Int() > 0 { // a character that no YAML text may hold
		read := string(data[:min(int(at.Int()), len(data))])
		last := strings.LastIndex(read, "\n") + 1
		f.noticed = Position{strings.Count(read, "\n") + 1, utf8.RuneCountInString(read[last:]) + 1}
		return f, true
	}
	context := field(inner, "context")
	began, known := markOf(inner, "context_mark")
	f.noticed, ok = markOf(inner, "problem_mark")
	if !ok || !known || !context.IsValid() || context.Kind() != reflect.String {
		return f, false
	}
	f.context, f.began = context.String(), began
	return f, true
}

// field is a field of a struct, or of what a pointer leads to; invalid if there is none of that name.
func field(v reflect.Value, name string) reflect.Value {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}

func markOf(v reflect.Value, name string) (Position, bool) {
	mark := field(v, name)
	line, column := field(mark, "line"), field(mark, "column")
	if !line.IsValid() || !column.IsValid() || !line.CanInt() || !column.CanInt() {
		return Position{}, false
	}
	return Position{int(line.Int()) + 1, int(column.Int()) + 1}, true
}

// place is where the mistake is in the lines of a document, and what else is to be said of it: what is not closed is so
// where it opens, and not where the library noticed.
func (f trouble) place(text []string) (at Position, hint string) {
	flow := slices.Contains([]string{"while parsing a flow mapping", "while parsing a flow sequence"}, f.context)
	switch {
	case flow && f.noticed.Line > f.began.Line && indent(text, f.noticed) <= indent(text, f.began):
		return f.began, fmt.Sprintf(" before line %d; what opens here is not closed", min(f.noticed.Line, len(text)+1))
	case flow && bracketInText(text, f.noticed):
		return f.noticed, "; a text with [, ] or { in it must be quoted there, for example '.spec.containers[name=app].image'"
	case f.context == "while scanning a simple key", f.context == "while scanning a quoted scalar":
		return f.began, ""
	case f.noticed.Line > len(text): // after the last line with anything in it
		return Position{len(text), utf8.RuneCountInString(strings.TrimRight(text[len(text)-1], "\r")) + 1}, ""
	}
	return f.noticed, ""
}

// bracketInText reports whether a bracket stands at a place, or right before it, that touches the letters of a text.
func bracketInText(text []string, at Position) bool {
	if at.Line > len(text) {
		return false
	}
	left := []rune(before(text, at))
	right := []rune(text[at.Line-1])[len(left):]
	if len(left) == 0 || len(right) == 0 {
		return false
	}
	last, next := left[len(left)-1], right[0]
	if next == ']' && slices.Contains(left, '[') { // it may well close that
		return false
	}
	return strings.ContainsRune("[]{", next) && !strings.ContainsRune(" \t,:[]{}", last) || last == ']' && !strings.ContainsRune(" \t,:[]{}", next)
}

// indent is how far the line of a place is indented.
func indent(text []string, at Position) int {
	line := text[min(at.Line, len(text))-1]
	return len(line) - len(strings.TrimLeft(line, " "))
}

// before is what stands before a place on its line.
func before(text []string, at Position) string {
	if at.Line > len(text) {
		return ""
	}
	line := []rune(text[at.Line-1])
	return string(line[:min(at.Column-1, len(line))])
}
