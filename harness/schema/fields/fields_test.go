package fields_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/scenario/scenariotest"
	"rehearse.dev/rehearse/harness/schema/fields"
)

type inner struct {
	A string `json:"a" default:"x"`
}

type outer struct {
	Embedded `json:",inline"`
	Text     string           `json:"text" default:"a" enum:"a,b"`
	Number   int32            `json:"number" default:"3" min:"1"`
	Flag     *bool            `json:"flag" default:"true"`
	Wait     *metav1.Duration `json:"wait" default:"2m"`
	Delay    metav1.Duration  `json:"delay" min:"0s"`
	Short    string           `json:"short" maxLength:"3"`
	Inner    inner            `json:"inner"`
	Pointer  *inner           `json:"pointer"`
	List     []inner          `json:"list"`
	Any      any              `json:"any"`
	_        int              // not exported, so not a field of the format
}

type Embedded struct {
	First string `json:"first" default:"one" only:"x,y"`
}

func TestOfFlattensEmbeddedStructs(t *testing.T) {
	t.Parallel()
	want := []string{"first", "text", "number", "flag", "wait", "delay", "short", "inner", "pointer", "list", "any"}
	if diff := cmp.Diff(want, fields.Names(fields.Of(reflect.TypeFor[outer]()))); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	all := fields.Of(reflect.TypeFor[outer]())
	for entry, want := range map[string]bool{"x": true, "y": true, "z": false} {
		if got := all[0].Known(entry); got != want {
			t.Errorf("first is known to %s: %t", entry, got)
		}
	}
	if !all[1].Known("z") {
		t.Error("a field without only is not known to z")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	all := fields.Of(reflect.TypeFor[outer]())
	yes := true
	for _, c := range []struct {
		field, text string
		want        any
		wrong       string // a part of the error; empty if there is none
	}{
		{"text", "b", "b", ""},
		{"text", "c", nil, `want one of a, b, found "c"`},
		{"number", "7", int32(7), ""},
		{"number", "0", nil, "want at least 1, found 0"},
		{"number", "x", nil, `want an integer, found "x"`},
		{"number", "3000000000", nil, "is too large"},
		{"flag", "true", &yes, ""},
		{"flag", "yes", nil, "want true or false"},
		{"wait", "90s", &metav1.Duration{Duration: 90 * time.Second}, ""},
		{"wait", "0s", nil, "longer than 0s"},
		{"wait", "5", nil, "want a duration such as"},
		{"delay", "0s", metav1.Duration{}, ""},
		{"delay", "-1s", nil, "at least 0s"},
		{"short", "äöü", "äöü", ""},
		{"short", "abcd", nil, "is 4 characters long; at most 3"},
		{"any", "x", nil, "cannot be made from text"},
	} {
		f, ok := fields.Find(all, c.field)
		if !ok {
			t.Fatalf("no field %s", c.field)
		}
		value, err := f.Parse(c.text)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s from %q: %v", c.field, c.text, err)
		case c.wrong == "":
			if diff := cmp.Diff(c.want, value.Interface()); diff != "" {
				t.Errorf("%s from %q (-want +got):\n%s", c.field, c.text, diff)
			}
		case err == nil || !strings.Contains(err.Error(), c.wrong):
			t.Errorf("%s from %q: error %v, want %q in it", c.field, c.text, err, c.wrong)
		}
	}
}

func TestSetDefaults(t *testing.T) {
	t.Parallel()
	no := false
	o := outer{Flag: &no, Text: "b", List: []inner{{}, {A: "y"}}, Any: &inner{}}
	if err := fields.SetDefaults(reflect.ValueOf(&o).Elem(), nil); err != nil {
		t.Fatal(err)
	}
	want := outer{
		Embedded: Embedded{First: "one"}, Text: "b", Number: 3, Flag: &no, Wait: &metav1.Duration{Duration: 2 * time.Minute},
		Inner: inner{"x"}, List: []inner{{"x"}, {"y"}}, Any: &inner{"x"},
	}
	if diff := cmp.Diff(want, o, cmp.AllowUnexported(outer{})); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	o = outer{}
	skip := func(t reflect.Type) bool { return t == reflect.TypeFor[Embedded]() || t == reflect.TypeFor[inner]() }
	if err := fields.SetDefaults(reflect.ValueOf(&o).Elem(), skip); err != nil {
		t.Fatal(err)
	}
	if o.First != "" || o.Inner.A != "" || o.Text != "a" {
		t.Errorf("skipped structs were filled, or others were not: %+v", o)
	}
}

// TestEveryTagIsSound walks all types of the API: each field is described, and what its tags say can be read.
func TestEveryTagIsSound(t *testing.T) {
	t.Parallel()
	roots := []reflect.Type{reflect.TypeFor[v1alpha1.Scenario]()}
	c := scenariotest.Catalog()
	operations := map[string]bool{}
	for _, info := range slices.Concat(c.Operations, c.Actors, c.Faults, c.Assertions) {
		roots = append(roots, reflect.TypeOf(info.NewSpec()).Elem())
		operations[info.Name] = true
	}
	seen := map[reflect.Type]bool{}
	for _, root := range roots {
		walk(root, seen, func(t2 reflect.Type, f fields.Field) {
			checkTags(t, t2, f, operations)
		})
	}
	if len(seen) < 30 {
		t.Errorf("only %d types were walked", len(seen))
	}
}

func checkTags(t *testing.T, in reflect.Type, f fields.Field, operations map[string]bool) {
	t.Helper()
	where := in.Name() + "." + f.Name
	if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") {
		t.Errorf("%s: the doc tag %q is no sentence", where, f.Doc)
	}
	if f.Default != "" {
		if _, err := f.Parse(f.Default); err != nil {
			t.Errorf("%s: default: %v", where, err)
		}
	}
	if !slices.Contains([]string{"", "ref", "path", "name", "step", "actor", "fault", "regexp", "issue"}, f.Format) {
		t.Errorf("%s: unknown format %q", where, f.Format)
	}
	for _, name := range f.Only {
		if !operations[name] {
			t.Errorf("%s: only names %q, which is no operation", where, name)
		}
	}
}

func walk(t reflect.Type, seen map[reflect.Type]bool, visit func(reflect.Type, fields.Field)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || fields.IsDuration(t) || seen[t] {
		return
	}
	seen[t] = true
	for _, f := range fields.Of(t) {
		visit(t, f)
		if f.Registry == "" {
			walk(f.Type, seen, visit)
		}
	}
}
