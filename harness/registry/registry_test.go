package registry_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/registry"
)

func numbers() registry.Registry[int] {
	return registry.New("number",
		registry.Entry[int]{Name: "two", Summary: "Two.", Example: "two: {}\n", Code: 2},
		registry.Entry[int]{Name: "one", NewSpec: func() any { return new(int) }, Validate: func(any) []registry.Problem { return nil }, Code: 1},
	)
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		code int
		err  string
	}{
		{name: "one", code: 1},
		{name: "two", code: 2},
		{name: "tow", err: `unknown number "tow" (known: two, one)`},
		{name: "twoo", err: `unknown number "twoo" (did you mean "two"?)`},
		{name: "", err: `unknown number "" (known: two, one)`},
	} {
		got, err := numbers().Lookup(tc.name)
		if fmt.Sprint(err) != fmt.Sprint(orNil(tc.err)) || got.Code != tc.code {
			t.Errorf("%q: %d, %v", tc.name, got.Code, err)
		}
	}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func TestOrder(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"two", "one"}, numbers().Names()); diff != "" {
		t.Error(diff)
	}
	infos := numbers().Infos()
	if infos[0].Name != "two" || infos[0].Summary != "Two." || infos[0].Example != "two: {}\n" || infos[0].Validate != nil {
		t.Errorf("%+v", infos[0])
	}
	if infos[1].NewSpec == nil || infos[1].Validate == nil {
		t.Errorf("%+v", infos[1])
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := recover(); got != `registry: number "one" is registered twice` {
			t.Errorf("New panicked with %v", got)
		}
	}()
	registry.New("number", registry.Entry[int]{Name: "one"}, registry.Entry[int]{Name: "two"}, registry.Entry[int]{Name: "one"})
}

func TestHint(t *testing.T) {
	t.Parallel()
	actors := []string{"scale", "edit", "patch", "apply", "delete", "create"}
	const known = " (known: scale, edit, patch, apply, delete, create)"
	for _, tc := range []struct {
		name  string
		known []string
		want  string
	}{
		{"scale", actors, ` (did you mean "scale"?)`},
		{"scael", actors, ` (did you mean "scale"?)`},
		{"eidt", actors, ` (did you mean "edit"?)`},
		{"Edit", actors, ` (did you mean "edit"?)`},
		{"edti", actors, ` (did you mean "edit"?)`},
		{"edits", actors, ` (did you mean "edit"?)`},
		{"crate", actors, ` (did you mean "create"?)`},
		{"chaos", actors, known},
		{"edt", actors, ` (did you mean "edit"?)`},
		{"dit", []string{"wait"}, " (known: wait)"}, // of three letters, two wrong are too many
		{"v2", []string{"v1", "back"}, ` (did you mean "v1"?)`},
		{"exists", actors, known},
		{"", actors, known},
		{"rollbakc", []string{"rollback"}, ` (did you mean "rollback"?)`},
		{"readinesOredr", []string{"readinessOrder"}, ` (did you mean "readinessOrder"?)`},
		{"scale", nil, ""},
	} {
		if got := registry.Hint(tc.name, tc.known); got != tc.want {
			t.Errorf("%q of %v: %q, want %q", tc.name, tc.known, got, tc.want)
		}
	}
}
