package plan

import (
	"reflect"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/schema/fields"
)

// Touch is something that a run may change in the cluster.
type Touch struct {
	// By is who changes it, for example release shop or actor hpa.
	By string `json:"by"`
	// Does lists what is done to it.
	Does []string `json:"does"`
	// What is changed: an object as Kind/name, or a description of several.
	What string `json:"what"`
}

// touches lists the blast radius. Objects without a namespace are in the one that the run makes for itself.
func touches(spec *v1alpha1.Spec) []Touch {
	all := helmTouches(spec)
	for _, actor := range spec.Actors {
		if !setOff(spec, actor.Name) {
			continue
		}
		for _, object := range objects(reflect.ValueOf(actor.Do.Spec).Elem()) {
			all = append(all, Touch{By: "actor " + actor.Name, Does: []string{actor.Do.Kind}, What: object})
		}
	}
	for _, fault := range spec.Faults {
		all = append(all, Touch{By: "fault " + fault.Name, Does: []string{fault.Do.Kind}, What: victim(fault.Do.Spec)})
	}
	for _, rule := range spec.Readiness {
		touch := Touch{By: "readiness", Does: []string{"gate"}, What: "pods of " + rule.Workload}
		if !slices.ContainsFunc(all, func(t Touch) bool { return t.By == touch.By && t.What == touch.What }) {
			all = append(all, touch)
		}
	}
	return all
}

// helmTouches lists the charts that operations of Helm install, and what they do to the release.
func helmTouches(spec *v1alpha1.Spec) []Touch {
	var does, charts []string
	for _, step := range slices.Concat(spec.Steps, spec.Finally) {
		v := reflect.ValueOf(step.Do.Spec).Elem()
		if !ofHelm(v.Type(), step.Do.Kind) {
			continue
		}
		does = add(does, step.Do.Kind)
		chart := spec.Release.Chart
		if own, ok := fields.Find(fields.Of(v.Type()), "chart"); ok && !own.Of(v).IsZero() {
			chart = own.Of(v).String()
		}
		charts = add(charts, chart)
	}
	var all []Touch
	for _, chart := range charts {
		all = append(all, Touch{By: "release " + spec.Release.Name, Does: does, What: "objects and hooks of chart " + chart})
	}
	return all
}

// ofHelm reports whether an operation works on the release: such ones inherit its options.
func ofHelm(spec reflect.Type, operation string) bool {
	for range inherited(spec, operation) {
		return true
	}
	return false
}

func setOff(spec *v1alpha1.Spec, actor string) bool {
	return slices.ContainsFunc(slices.Concat(spec.Steps, spec.Finally), func(s v1alpha1.Step) bool {
		act, ok := s.Do.Spec.(*v1alpha1.Act)
		return ok && act.Actor == actor
	})
}

// objects finds the objects that a spec refers to or holds a manifest of.
func objects(spec reflect.Value) []string {
	var found []string
	for _, f := range fields.Of(spec.Type()) {
		switch v := f.Of(spec).Interface().(type) {
		case string:
			if f.Format == "ref" && v != "" {
				found = add(found, v)
			}
		case map[string]any:
			if name := manifestName(v); name != "" {
				found = add(found, name)
			}
		}
	}
	return found
}

// Mentions lists the objects that the actors, the steps and the assertions of a scenario name, as references.
func Mentions(spec *v1alpha1.Spec) []string {
	var found []string
	for _, part := range []any{spec.Actors, spec.Steps, spec.Finally, spec.Assert} {
		found = mentioned(reflect.ValueOf(part), "", found)
	}
	return found
}

// mentioned adds what a value mentions, whose texts have a format.
func mentioned(v reflect.Value, format string, found []string) []string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = mentioned(v.Elem(), format, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = mentioned(v.Index(i), format, found)
		}
	case reflect.String:
		if format == "ref" && v.Len() > 0 {
			found = add(found, v.String())
		}
	case reflect.Map:
		if manifest, ok := v.Interface().(map[string]any); ok {
			if name := manifestName(manifest); name != "" {
				found = add(found, name)
			}
		}
	case reflect.Struct:
		if choice, ok := v.Interface().(v1alpha1.Choice); ok {
			return mentioned(reflect.ValueOf(&choice.Spec).Elem(), "", found)
		}
		for _, f := range fields.Of(v.Type()) {
			found = mentioned(f.Of(v), f.Format, found)
		}
	}
	return found
}

// victim describes what a fault breaks; empty for a spec that does not say, which no registered kind has.
func victim(spec any) string {
	if toucher, ok := spec.(v1alpha1.Toucher); ok {
		return toucher.MayTouch()
	}
	return ""
}

// manifestName is the object that a manifest describes, as Kind/name; empty if it describes none.
func manifestName(manifest map[string]any) string {
	kind, _ := manifest["kind"].(string)
	metadata, _ := manifest["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	if kind == "" || name == "" {
		return ""
	}
	parts := []string{kind, name}
	if namespace, _ := metadata["namespace"].(string); namespace != "" {
		parts = []string{kind, namespace, name}
	}
	return strings.Join(parts, "/")
}

func add(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}
