package fields

import (
	"fmt"
	"reflect"
)

// SetDefaults fills the zero fields of a struct, and of the structs within it, from their default tags. Structs for
// which skip is true are left as they are; nil skips none.
func SetDefaults(structure reflect.Value, skip func(reflect.Type) bool) error {
	if skip != nil && skip(structure.Type()) {
		return nil
	}
	for i := range structure.NumField() {
		v := structure.Field(i)
		if !structure.Type().Field(i).IsExported() {
			continue
		}
		if err := setWithin(v, skip); err != nil {
			return err
		}
	}
	for _, f := range Of(structure.Type()) {
		if len(f.Index) > 1 {
			continue // An embedded struct has been visited, or skipped, above.
		}
		if err := f.SetDefault(structure); err != nil {
			return err
		}
	}
	return nil
}

// SetDefault fills the field of a struct from its default tag if it is zero.
func (f Field) SetDefault(structure reflect.Value) error {
	v := f.Of(structure)
	if f.Default == "" || !v.IsZero() {
		return nil
	}
	value, err := f.Parse(f.Default)
	if err != nil {
		return fmt.Errorf("default of %s.%s: %w", structure.Type(), f.Name, err)
	}
	v.Set(value)
	return nil
}

func setWithin(v reflect.Value, skip func(reflect.Type) bool) error {
	switch v.Kind() {
	case reflect.Struct:
		if IsDuration(v.Type()) {
			return nil
		}
		return SetDefaults(v, skip)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() || v.Kind() == reflect.Interface && v.Elem().Kind() != reflect.Pointer {
			return nil
		}
		return setWithin(v.Elem(), skip)
	case reflect.Slice:
		for i := range v.Len() {
			if err := setWithin(v.Index(i), skip); err != nil {
				return err
			}
		}
	}
	return nil
}
