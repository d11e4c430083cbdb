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
		o, ok := assertion.Do.Spec.(*v1alpha1.Ownership)
		path := item("assert", i) + "." + assertion.Do.Kind
		if ok && o.At == "" && o.SameAs != "" && o.SameAs == last && v.sound(path+".at") {
			v.report(path+".sameAs", "is the step that is judged, since at is empty and %s is the last step; name another one", last)
		}
	}
}
