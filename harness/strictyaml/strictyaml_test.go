package strictyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/strictyaml"
)

type door struct {
	Name   string            `json:"name" required:"true" doc:"What it is called." shorthand:"true" format:"name"`
	Size   *int              `json:"size" min:"1"`
	Open   bool              `json:"open"`
	Mode   string            `json:"mode" enum:"auto,true,off"`
	Notes  map[string]string `json:"notes"`
	Counts map[int]string    `json:"counts"`
}

type house struct {
	Doors []door          `json:"doors" required:"true" doc:"The ways in."`
	Extra map[string]any  `json:"extra"`
	Free  any             `json:"free"`
	Texts []string        `json:"texts" bare:"true"`
	Do    v1alpha1.Choice `json:",inline" registry:"action"`
}

type knock struct {
	Times int `json:"times" only:"knock"`
}

var actions = strictyaml.Registries{"action": []registry.Info{
	{Name: "knock", NewSpec: func() any { return new(knock) }},
	{Name: "ring", NewSpec: func() any { return new(knock) }},
}}

func TestDecode(t *testing.T) {
	t.Parallel()
	five := 5
	for name, c := range map[string]struct {
		yaml string
		want house
	}{
		"everything": {
			"doors: [{name: a, size: 5, open: True, mode: auto, notes: {a.b: c}, counts: {2: x}}]\nextra: {a: [1, 2.5, null, b]}\nfree: x\nknock: {times: 3}\n",
			house{
				Doors: []door{{Name: "a", Size: &five, Open: true, Mode: "auto", Notes: map[string]string{"a.b": "c"}, Counts: map[int]string{2: "x"}}},
				Extra: map[string]any{"a": []any{int64(1), 2.5, nil, "b"}}, Free: "x", Do: v1alpha1.Choice{Kind: "knock", Spec: &knock{3}},
			},
		},
		"a scalar in place of a struct":   {"doors: [front]\nring: {}\n", house{Doors: []door{{Name: "front"}}, Do: v1alpha1.Choice{Kind: "ring", Spec: &knock{}}}},
		"a boolean that an enum knows":    {"doors: [{name: a, mode: TRUE}]\nring: {}\n", house{Doors: []door{{Name: "a", Mode: "true"}}, Do: v1alpha1.Choice{Kind: "ring", Spec: &knock{}}}},
		"bare texts":                      {"doors: [a]\ntexts: [1, true, 2.5, x]\nring: {}\n", house{Doors: []door{{Name: "a"}}, Texts: []string{"1", "true", "2.5", "x"}, Do: v1alpha1.Choice{Kind: "ring", Spec: &knock{}}}},
		"an alias":                        {"doors: [&d {name: a}, *d]\nring: {}\n", house{Doors: []door{{Name: "a"}, {Name: "a"}}, Do: v1alpha1.Choice{Kind: "ring", Spec: &knock{}}}},
		"JSON, and a date that is a text": {`{"doors": ["2020-01-01"], "extra": {"d": 2020-01-02}, "ring": {}}`, house{Doors: []door{{Name: "2020-01-01"}}, Extra: map[string]any{"d": "2020-01-02"}, Do: v1alpha1.Choice{Kind: "ring", Spec: &knock{}}}},
		"an end of the document":          {"---\ndoors: [a]\nring: {}\n...\n---\n# nothing\n", house{Doors: []door{{Name: "a"}}, Do: v1alpha1.Choice{Kind: "ring", Spec: &knock{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got house
			if problems := strictyaml.Decode([]byte(c.yaml), &got, actions).Problems; len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeReports(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"ring: {}":                                       "1:1 doors: is required: The ways in.",
		"doors: []\nring: {}":                            "1:1 doors: must not be empty: The ways in.",
		"doors: x\nring: {}":                             `1:8 doors: want a list, found the text "x"`,
		"doors:\n- size: 1\nring: {}":                    "2:3 doors[0].name: is required: What it is called.",
		"doors:\n- name: [a]\nring: {}":                  "2:9 doors[0].name: want a text, found a list",
		"doors:\n- {name: a, size: 0}\nring: {}":         "2:19 doors[0].size: want at least 1, found 0",
		"doors:\n- {name: a, size: '2'}\nring: {}":       `2:19 doors[0].size: want an integer, found the text "2"; remove the quotes`,
		"doors:\n- {name: a, size: 1.5}\nring: {}":       "2:19 doors[0].size: want an integer, found the number 1.5",
		"doors:\n- {name: a, open: yes}\nring: {}":       `2:19 doors[0].open: want true or false, found the text "yes"`,
		"doors:\n- {name: a, open: !!bool x}\nring: {}":  "2:19 doors[0].open: want true or false, found x",
		"doors:\n- {name: a, mode: 1}\nring: {}":         "2:19 doors[0].mode: want one of auto, true, off, found the integer 1",
		"doors:\n- {name: a, mode: false}\nring: {}":     "2:19 doors[0].mode: want one of auto, true, off, found false",
		"doors:\n- {name: a, notes: {b: 1}}\nring: {}":   "2:24 doors[0].notes.b: want a text, found the integer 1; quote it",
		"doors:\n- {name: a, counts: {0: x}}\nring: {}":  "2:22 doors[0].counts.0: want a key that is a number from 1, found the integer 0",
		"doors:\n- {name: a, counts: x}\nring: {}":       `2:21 doors[0].counts: want a mapping, found the text "x"`,
		"doors: [a]\nring:":                              "2:1 ring: has no value; write {} if nothing is to be set",
		"doors: [a]\nring: 5":                            "2:7 ring: want {}, found the integer 5",
		"doors: [a]\nring: {times: 1}":                   "2:8 ring.times: ring does not have this field, only knock; remove it",
		"doors: [a]\nrang: {}":                           `2:1 rang: is neither a field nor one of the actions (did you mean "ring"?)`,
		"doors: [a]":                                     "1:1 : names no action; add one of knock, ring",
		"doors: [a]\nring: {}\nknock: {times: x}":        "3:1 knock: is a second action beside ring; keep one of them|3:16 knock.times: want an integer, found the text \"x\"",
		"doors: [a]\nring: {}\ndoors: [b]":               "3:1 doors: is stated twice; it was on line 1 before",
		"doors: [a]\nring: {}\nextra: {a: 1, a: 2}":      "3:15 extra.a: is stated twice; it was on line 3 before",
		"doors: [a]\nring: {}\nextra: {'x.y': {[a]: 1}}": `3:17 extra["x.y"]: a key must be a name, found a list`,
	} {
		t.Run(yaml, func(t *testing.T) {
			t.Parallel()
			var into house
			got := ""
			for i, p := range strictyaml.Decode([]byte(yaml), &into, actions).Problems {
				if i > 0 {
					got += "|"
				}
				got += fmt.Sprintf("%d:%d %s: %s", p.Line, p.Column, p.Path, p.Message)
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestDecodeLocatesSyntaxErrors: a document that is no YAML is told where it goes wrong, and not where the library says.
func TestDecodeLocatesSyntaxErrors(t *testing.T) {
	t.Parallel()
	quote := "; a text with [, ] or { in it must be quoted there, for example '.spec.containers[name=app].image'"
	for name, c := range map[string]struct{ yaml, want string }{
		"a path that is not quoted":         {"doors:\n- name: a\n- {name: a, mode: .spec.containers[name=app].image, size: 1}\nring: {}\n", "3:35 did not find expected ',' or '}'" + quote},
		"the same on the first line":        {"doors: [{name: a[0]}]\n", "1:17 did not find expected ',' or '}'" + quote},
		"the same in a list":                {"doors:\n- name: x\ntexts: [a, b{c}]\n", "3:13 did not find expected ',' or ']'" + quote},
		"one that begins with a bracket":    {"doors:\n- {name: [a].b}\n", "2:13 did not find expected ',' or '}'" + quote},
		"one that ends with a bracket":      {"doors:\n- {name: a]}\n", "2:11 did not find expected ',' or '}'" + quote},
		"late in a mapping of many lines":   {"doors:\n- {name: a,\n   size: 1,\n   mode: a[b],\n  }\n", "4:11 did not find expected ',' or '}'" + quote},
		"a comma is missing":                {"doors:\n- {name: a, notes: {a: b} size: 1}\n", "2:27 did not find expected ',' or '}'"},
		"a brace is missing":                {"doors:\n- {name: a, notes: {a: b}\n- {name: b}\n", "2:3 did not find expected ',' or '}' before line 3; what opens here is not closed"},
		"a brace is missing, and it ends":   {"doors:\n- {name: a\n", "2:3 did not find expected ',' or '}' before line 3; what opens here is not closed"},
		"a bracket is missing":              {"doors: [a, b\nring: {}\n", "1:8 did not find expected ',' or ']' before line 2; what opens here is not closed"},
		"a brace is missing above a key":    {"doors:\n- {name: a, notes: {a: b}\nring: {}\n", "2:3 did not find expected ',' or '}' before line 3; what opens here is not closed"},
		"a comma is missing between lines":  {"doors:\n- {name: a,\n   mode: b\n   size: 1}\n", "4:8 did not find expected ',' or '}'"},
		"one after a mapping":               {"doors:\n- {name: a,\n   notes: {a: b}\n   size: 1}\n", "4:4 did not find expected ',' or '}'"},
		"one in JSON":                       {"{\"doors\": [{\"name\": \"a\"}]\n \"ring\": {}}\n", "2:2 did not find expected ',' or '}'"},
		"a brace is missing in a list":      {"doors: [{name: a]\n", "1:17 did not find expected ',' or '}'"},
		"a bracket too many":                {"doors: [a]]\nring: {}\n", "1:11 did not find expected key"},
		"a value is missing, and it ends":   {"a: 1\nb: {c: [\n\n", "2:9 did not find expected node content"},
		"a key that is indented too deep":   {"doors:\n- name: a\n  size: 1\n   open: true\nring: {}\n", "4:8 mapping values are not allowed in this context"},
		"a key that is indented too little": {"extra:\n    a: 1\n    b: 2\n  c: 3\nring: {}\n", "4:3 did not find expected key"},
		"a list among keys":                 {"extra:\n  a: 1\n  b: 2\n  - c\n", "4:3 did not find expected key"},
		"a colon is missing":                {"doors:\n- name: a\nring\nextra: {}\n", "3:1 could not find expected ':'"},
		"a quote is not closed":             {"doors:\n- name: \"a\n  size: 1\nring: {}\n", "2:9 found unexpected end of stream"},
		"an escape that is none":            {"doors:\n- name: \"a\\d\"\n", "2:11 found unknown escape character"},
		"a tab":                             {"doors:\n- name: a\n\tsize: 1\n", "3:1 found a tab character that violates indentation; YAML is indented with spaces"},
		"an anchor that is none":            {"doors:\n- name: *b\n", "2:9 unknown anchor 'b' referenced"},
		"a control character":               {"doors: [ä]\nring: {} # ä\u0081\n", "2:13 control characters are not allowed"},
		"a second document":                 {"doors: [a]\n---\na: b\n c: d\n", "4:3 mapping values are not allowed in this context"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var into house
			problems := strictyaml.Decode([]byte(c.yaml), &into, actions).Problems
			if len(problems) != 1 {
				t.Fatalf("%d problems, want one: %v", len(problems), problems)
			}
			p := problems[0]
			if got := fmt.Sprintf("%d:%d %s", p.Line, p.Column, strings.TrimPrefix(p.Message, "is not valid YAML: ")); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestResultKnowsPlaces(t *testing.T) {
	t.Parallel()
	var into house
	result := strictyaml.Decode([]byte("doors:\n- name: a\n  notes:\n    x: y\nring: {}\n"), &into, actions)
	for path, want := range map[string]strictyaml.Position{
		"doors":               {1, 1},
		"doors[0]":            {2, 3},
		"doors[0].name":       {2, 9},
		"doors[0].notes":      {3, 3},
		"doors[0].notes.x":    {4, 8},
		"doors[0].notes.z":    {3, 3}, // the nearest that there is
		"doors[7].name":       {1, 1},
		"nothing.of.the.kind": {1, 1},
	} {
		if got := result.At(path); got != want {
			t.Errorf("%s is at %v, want %v", path, got, want)
		}
	}
	want := []strictyaml.Text{{Position: strictyaml.Position{Line: 2, Column: 9}, Path: "doors[0].name", Format: "name", Value: "a"}}
	if diff := cmp.Diff(want, result.Texts); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}
