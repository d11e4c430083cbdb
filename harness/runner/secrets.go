package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/ref"
)

// learn makes the secrets of all plans known to the redactor before anything is written, so that no file holds one that
// another file hides.
func learn(redactor *evidence.Redactor, plans []plan.Plan) error {
	for _, p := range plans {
		redactor.Learn(p.Secrets...)
		for _, a := range p.Scenario.Spec.Actors {
			redactor.Learn(written(a)...)
		}
		if _, err := hide(redactor, p); err != nil { // learns from the manifests of actors
			return err
		}
	}
	return nil
}

// written returns what an actor writes into a Secret, as Secrets. What it applies or creates is a whole Secret by itself.
func written(a v1alpha1.Actor) []map[string]any {
	object, change := "", any(nil)
	switch spec := a.Do.Spec.(type) {
	case *v1alpha1.Edit:
		object, change = spec.Object, spec.Merge
	case *v1alpha1.Patch:
		object, change = spec.Object, spec.Patch
	}
	to, err := ref.Parse(object)
	if err != nil || to.Kind != "Secret" {
		return nil
	}
	var all []map[string]any
	switch change := change.(type) {
	case map[string]any:
		all = append(all, map[string]any{"kind": "Secret", "data": change["data"], "stringData": change["stringData"]})
	case []any: // a JSON patch
		for _, item := range change {
			operation, _ := item.(map[string]any)
			path, _ := operation["path"].(string)
			if secret := at(path, operation["value"]); secret != nil {
				secret["kind"] = "Secret"
				all = append(all, secret)
			}
		}
	}
	return all
}

// at is an object that has a value where a JSON pointer points, which has to point into it.
func at(pointer string, value any) map[string]any {
	fields := strings.Split(pointer, "/")
	var whole map[string]any
	for _, field := range slices.Backward(fields[1:]) {
		whole = map[string]any{field: value}
		value = whole
	}
	return whole
}

// hide returns the plan without its secrets. Only what the scenario leaves to its author is redacted, such as chart values,
// manifests and errors: a secret that happens to read like an operation must not make the plan unreadable.
func hide(redactor *evidence.Redactor, p plan.Plan) (plan.Plan, error) {
	clean, err := hider{redactor}.value(reflect.ValueOf(p.Scenario.Spec))
	if err != nil {
		return p, fmt.Errorf("hiding the secrets of %s: %w", p.ID(), err)
	}
	reflect.ValueOf(&p.Scenario.Spec).Elem().Set(clean)
	return p, nil
}

type hider struct{ redactor *evidence.Redactor }

// value returns a copy of v with everything of a free form redacted. It shares what needs no copy.
func (h hider) value(v reflect.Value) (reflect.Value, error) {
	switch v.Kind() {
	case reflect.Struct:
		return h.structure(v)
	case reflect.Slice:
		return h.slice(v)
	case reflect.Pointer:
		return h.pointer(v)
	case reflect.Interface:
		if v.Elem().Kind() == reflect.Pointer { // the spec of a registry's entry
			return h.pointer(v.Elem())
		}
		return h.free(v)
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Interface {
			return h.free(v)
		}
	}
	return v, nil
}

func (h hider) structure(v reflect.Value) (reflect.Value, error) {
	if want, ok := v.Interface().(v1alpha1.ExpectError); ok {
		want.Contains, want.Matches = h.redactor.Text(want.Contains), h.redactor.Text(want.Matches)
		return reflect.ValueOf(want), nil
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		field, err := h.value(v.Field(i))
		if err != nil {
			return v, err
		}
		out.Field(i).Set(field)
	}
	return out, nil
}

func (h hider) slice(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		item, err := h.value(v.Index(i))
		if err != nil {
			return v, err
		}
		out.Index(i).Set(item)
	}
	return out, nil
}

func (h hider) pointer(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	to, err := h.value(v.Elem())
	if err != nil {
		return v, err
	}
	out := reflect.New(v.Type().Elem())
	out.Elem().Set(to)
	return out, nil
}

// free redacts a value whose form the scenario's author chooses.
func (h hider) free(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	clean, err := h.redactor.JSON(v.Interface())
	if err != nil {
		return v, err
	}
	return reflect.ValueOf(clean), nil
}

// hideInFiles redacts the files in dir, which are of nobody's format but their program's.
func hideInFiles(redactor *evidence.Redactor, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(redactor.Text(string(data))), 0o644)
	})
}
