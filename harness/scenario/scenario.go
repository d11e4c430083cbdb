// Package scenario loads scenario files: it finds them, decodes them strictly, fills in defaults and validates them.
// Every mistake of every file is reported at once, each with its place.
package scenario

import (
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// Catalog lists what a scenario can name.
type Catalog struct {
	Operations, Actors, Faults, Assertions, Providers []registry.Info
}

// Registries returns the catalogue by the names that the registry tags of v1alpha1 give.
func (c Catalog) Registries() strictyaml.Registries {
	return strictyaml.Registries{
		"operation": c.Operations, "actor": c.Actors, "fault": c.Faults, "assertion": c.Assertions, "provider": c.Providers,
	}
}

// File is one scenario and where it came from.
type File struct {
	// Path is the file as it was found.
	Path string `json:"path"`
	// Dir is the folder that relative paths in the scenario start from.
	Dir string `json:"dir"`
	// Scenario holds defaults already, but for the options of operations, which package plan resolves.
	Scenario v1alpha1.Scenario `json:"scenario"`
	// Lines maps list items of the spec, such as steps[2] and assert[0], to their lines.
	Lines map[string]int `json:"lines"`
}

// Mistake is one thing wrong with a file.
type Mistake struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	// Path is the field, for example spec.steps[2].rollback.to.
	Path string `json:"path,omitempty"`
	// Message says what is wrong and what would be right.
	Message string `json:"message"`
}

// String is file:line:column: path: message.
func (m Mistake) String() string {
	text := m.File + ": "
	if m.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d: ", m.File, m.Line, m.Column)
	}
	if m.Path != "" {
		text += m.Path + ": "
	}
	return text + m.Message
}

// Mistakes are all mistakes of a Load, sorted by place. It is the type of Load's error.
type Mistakes []Mistake

// Error lists the mistakes, one a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.String()
	}
	return strings.Join(lines, "\n")
}

func (m Mistakes) sorted() Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	return m
}

// Load reads scenarios from files, folders and globs. Of a folder it takes every *.yaml below it, but for charts and
// folders whose names begin with a dot or an underscore. Its error is of type Mistakes; with one, no file is returned.
func Load(paths []string, c Catalog) ([]File, error) {
	found, mistakes := find(paths)
	var files []File
	named := map[string]string{}
	for _, path := range found {
		file, at, wrong := load(path, c)
		mistakes = append(mistakes, wrong...)
		if name := file.Scenario.Metadata.Name; name != "" {
			if first, taken := named[name]; taken {
				mistakes = append(mistakes, Mistake{path, at.Line, at.Column, "metadata.name", fmt.Sprintf("%q is the name of the scenario in %s too; names are unique in a run", name, first)})
			}
			named[name] = cmp.Or(named[name], path)
		}
		files = append(files, file)
	}
	if len(mistakes) > 0 {
		return nil, mistakes.sorted()
	}
	return files, nil
}

// load reads one file. at is where its name stands.
func load(path string, c Catalog) (file File, at strictyaml.Position, wrong Mistakes) {
	data, err := read(path)
	if err != nil {
		return File{}, at, Mistakes{{File: path, Message: err.Error()}}
	}
	return parse(path, data, c)
}

// Parse reads a scenario from data as if it were the file at path. Its error is of type Mistakes.
func Parse(path string, data []byte, c Catalog) (File, error) {
	file, _, wrong := parse(path, data, c)
	if len(wrong) > 0 {
		return File{}, wrong.sorted()
	}
	return file, nil
}

func parse(path string, data []byte, c Catalog) (file File, at strictyaml.Position, wrong Mistakes) {
	file = File{Path: path, Dir: filepath.Dir(path)}
	decoded := strictyaml.Decode(data, &file.Scenario, c.Registries())
	if isForeign(decoded) {
		const message = "is no scenario: it has neither apiVersion nor kind; keep value files outside, or in a folder whose name begins with _ or ."
		return File{Path: path, Dir: file.Dir}, at, Mistakes{{File: path, Line: 1, Column: 1, Message: message}}
	}
	file.Lines = lines(decoded)
	v := &validator{file: &file, catalog: c, decoded: decoded}
	if !decoded.Stopped {
		v.validate()
	}
	if err := fields.SetDefaults(reflect.ValueOf(&file.Scenario).Elem(), inherited); err != nil {
		v.report("", "%s", err)
	}
	for _, p := range decoded.Problems {
		wrong = append(wrong, Mistake{path, p.Line, p.Column, p.Path, p.Message})
	}
	return file, decoded.At("metadata.name"), wrong
}

// isForeign tells files that only lie among scenarios, such as value files, of which all is wrong: mappings without both of
// the fields that say what they are.
func isForeign(decoded *strictyaml.Result) bool {
	return !slices.ContainsFunc([]string{"apiVersion", "kind"}, func(name string) bool {
		_, stated := decoded.Positions[name]
		return stated || !slices.ContainsFunc(decoded.Problems, func(p strictyaml.Problem) bool { return p.Path == name })
	})
}

// inherited reports whether the zero fields of a type are filled by package plan, which knows what they inherit.
func inherited(t reflect.Type) bool { return t == reflect.TypeFor[v1alpha1.Options]() }

// lines finds the list items right below the spec.
func lines(decoded *strictyaml.Result) map[string]int {
	all := map[string]int{}
	for path, at := range decoded.Positions {
		item, ok := strings.CutPrefix(path, "spec.")
		if ok && strings.HasSuffix(item, "]") && !strings.ContainsAny(item, ".\"") && strings.Count(item, "[") == 1 {
			all[item] = at.Line
		}
	}
	return all
}
