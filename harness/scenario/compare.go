package scenario

import "rehearse.dev/rehearse/harness/api/v1alpha1"

// comparisons refuses to compare the last step with itself, which always passes. Where both steps are named, the entry
// of the assertion refuses it.
func (v *validator) comparisons(spec *v1alpha1.Spec) {
	if len(spec.Steps) == 0 {
		return
	}
	last := spec.Steps[len(spec.Steps)-1].Name
	for i, assertion := range spec.Assert {
		at, with, field := comparison(assertion.Do.Spec)
		path := item("assert", i) + "." + assertion.Do.Kind
		if with != "" && at == "" && with == last && v.sound(path+".at") {
			v.report(path+"."+field, "is the step that is judged, since at is empty and %s is the last step; name another one", last)
		}
	}
}

// comparison returns the step that an assertion is judged at, the step it compares with, and the field that names the
// latter.
func comparison(spec any) (at, with, field string) {
	switch spec := spec.(type) {
	case *v1alpha1.Ownership:
		return spec.At, spec.SameAs, "sameAs"
	case *v1alpha1.ObjectMatch:
		return spec.At, spec.SameUID, "sameUID"
	}
	return "", "", ""
}
