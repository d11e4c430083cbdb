package plan

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/schema/fields"
)

var optionFields = fields.Of(reflect.TypeFor[v1alpha1.Options]())

// resolve returns the scenario with the options of one cell of its matrix. An operation's own option comes first, then
// the matrix, then the release's options, then the default. What is changed is copied; the rest is shared.
func resolve(s v1alpha1.Scenario, cell map[string]string) (v1alpha1.Scenario, error) {
	base := s.Spec.Release.Options
	options := reflect.ValueOf(&base).Elem()
	for _, name := range slices.Sorted(maps.Keys(cell)) {
		f, ok := fields.Find(optionFields, name)
		if !ok {
			return s, fmt.Errorf("there is no release option %q", name)
		}
		value, err := f.Parse(cell[name])
		if err != nil {
			return s, fmt.Errorf("release option %s: %w", name, err)
		}
		f.Of(options).Set(value)
	}
	if base.Helm == nil {
		base.Helm = s.Spec.Release.Helm
	}
	if err := fields.SetDefaults(options, nil); err != nil {
		return s, err
	}
	s.Spec.Release.Options = base
	s.Spec.Matrix = nil
	s.Spec.Steps = inherit(s.Spec.Steps, options)
	s.Spec.Finally = inherit(s.Spec.Finally, options)
	s.Spec.Faults = inheritRivals(s.Spec.Faults, options)
	return s, nil
}

// inheritRivals is inherit for the operations of second Helms.
func inheritRivals(faults []v1alpha1.Fault, options reflect.Value) []v1alpha1.Fault {
	faults = slices.Clone(faults)
	for i := range faults {
		rival, ok := faults[i].Do.Spec.(*v1alpha1.RivalHelm)
		if !ok {
			continue
		}
		own := *rival
		for _, operation := range rival.Operations() {
			switch spec := inheritOne(operation, options).(type) {
			case *v1alpha1.Upgrade:
				own.Upgrade = spec
			case *v1alpha1.Rollback:
				own.Rollback = spec
			case *v1alpha1.Uninstall:
				own.Uninstall = spec
			}
		}
		faults[i].Do.Spec = &own
	}
	return faults
}

// inherit returns the steps with what their operations leave open taken from the options.
func inherit(steps []v1alpha1.Step, options reflect.Value) []v1alpha1.Step {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].Do.Spec = inheritOne(steps[i].Do, options)
	}
	return steps
}

func inheritOne(do v1alpha1.Choice, options reflect.Value) any {
	spec := reflect.New(reflect.TypeOf(do.Spec).Elem())
	spec.Elem().Set(reflect.ValueOf(do.Spec).Elem())
	for own, option := range inherited(spec.Elem().Type(), do.Kind) {
		if v := own.Of(spec.Elem()); v.IsZero() {
			v.Set(option.Of(options))
		}
	}
	return spec.Interface()
}

// inherited pairs the fields of an operation's spec that are release options with those options: the same name and
// type, and an option that the operation knows.
func inherited(spec reflect.Type, operation string) func(yield func(own, option fields.Field) bool) {
	return func(yield func(own, option fields.Field) bool) {
		for _, own := range fields.Of(spec) {
			option, ok := fields.Find(optionFields, own.Name)
			if ok && own.Type == option.Type && option.Known(operation) && !yield(own, option) {
				return
			}
		}
	}
}
