package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// FaultsDigest changes when a scenario's faults do, or when they come. It is empty without faults. What an author writes
// freely, such as values and manifests, has no part in it: that may hold secrets, and a digest could be tried against guesses.
func FaultsDigest(spec *v1alpha1.Spec) string {
	if len(spec.Faults) == 0 {
		return ""
	}
	sum := sha256.New()
	digest(sum, "faults", reflect.ValueOf(spec.Faults))
	for _, steps := range [][]v1alpha1.Step{spec.Steps, spec.Finally} {
		for _, step := range steps {
			digest(sum, step.Name, reflect.ValueOf(step.During))
			switch do := step.Do.Spec.(type) {
			case *v1alpha1.Inject:
				digest(sum, step.Name+".inject", reflect.ValueOf(do.Fault))
			case *v1alpha1.Recover:
				digest(sum, step.Name+".recover", reflect.ValueOf(do.Fault))
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// digest writes the scalars of a value, each with where it is.
func digest(w io.Writer, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			digest(w, path, v.Elem())
		}
	case reflect.Interface: // the spec of a registry's entry; what else there is, is free
		if v.Elem().Kind() == reflect.Pointer {
			digest(w, path, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			digest(w, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				digest(w, path+"."+field.Name, v.Field(i))
			}
		}
	case reflect.Map: // free
	default:
		if !v.IsZero() {
			fmt.Fprintf(w, "%s=%v\n", path, v.Interface())
		}
	}
}
