package scenario

import (
	"fmt"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/schema/fields"
)

// breaking walks the steps as a run would, and refuses faults that are injected while they are active, recovered while
// they are not, or never injected at all.
func (v *validator) breaking(spec *v1alpha1.Spec) {
	late, used := map[string]bool{}, map[string]bool{}
	for i, f := range spec.Faults {
		late[f.Name] = f.Late()
		v.lateness(item("faults", i), f)
	}
	// since is the step that injected a fault which is active, by the fault's name.
	since := map[string]string{}
	for path, step := range v.eachStep(spec) {
		for i, name := range step.During {
			at := fmt.Sprintf("%s.during[%d]", path, i)
			v.namedTwice(at, step.During[:i], name)
			if by := since[name]; by != "" {
				v.report(at, "fault %s is active already: %s injects it; leave it out here, or recover it before", fields.Quote(name), by)
			}
			used[name] = true
		}
		switch do := step.Do.Spec.(type) {
		case *v1alpha1.Inject:
			v.injected(path, do.Fault, late, since)
			used[do.Fault] = true
		case *v1alpha1.Recover:
			if since[do.Fault] == "" && v.exists(do.Fault) {
				v.report(path+".recover", "fault %s is not active here: no step before injects it (a fault of during recovers by itself)", fields.Quote(do.Fault))
			}
			delete(since, do.Fault)
		}
	}
	for i, f := range spec.Faults {
		if f.Name != "" && !used[f.Name] && v.sound("spec.steps") && v.sound("spec.finally") {
			v.report(item("faults", i), "fault %s is never injected; name it in a step's during, or inject it", fields.Quote(f.Name))
		}
	}
}

// lateness checks when a fault is to be injected.
func (v *validator) lateness(path string, f v1alpha1.Fault) {
	if f.After != nil && f.AfterRequest != nil {
		v.report(path, "states both after and afterRequest; keep one of them")
	}
	if f.AfterRequest == nil {
		return
	}
	for field, message := range f.AfterRequest.Mistakes() {
		v.report(path+".afterRequest."+field, "%s", message)
	}
}

func (v *validator) namedTwice(at string, before []string, name string) {
	if slices.Contains(before, name) {
		v.report(at, "names fault %s twice; remove one of them", fields.Quote(name))
	}
}

func (v *validator) injected(path, name string, late map[string]bool, since map[string]string) {
	switch by := since[name]; {
	case by != "":
		v.report(path+".inject", "fault %s is active already: %s injects it", fields.Quote(name), by)
	case late[name]:
		v.report(path+".inject", "fault %s comes while a step's operation runs, so it goes into that step's during", fields.Quote(name))
	}
	if since[name] == "" {
		since[name] = path
	}
}

func (v *validator) exists(name string) bool { return known("fault", name, v.faults) == nil }
