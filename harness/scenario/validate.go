package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// validator checks what types alone cannot say. It goes on after mistakes, and over fields that decoding left empty.
type validator struct {
	file    *File
	catalog Catalog
	decoded *strictyaml.Result
	typed   int // how many of the problems decoding has found; they come first
	steps   []string
	actors  []string
	faults  []string
	full    bool // so much is wrong that no more is told
}

func (v *validator) report(path, format string, args ...any) {
	v.reportAt(v.decoded.At(path), path, format, args...)
}

func (v *validator) reportAt(at strictyaml.Position, path, format string, args ...any) {
	v.full = !v.decoded.Report(strictyaml.Problem{Position: at, Path: path, Message: fmt.Sprintf(format, args...)})
}

// sound reports whether decoding has filled a field and all below it. Mistakes that were found later do not count, since
// they hide no other ones.
func (v *validator) sound(path string) bool {
	return !slices.ContainsFunc(v.decoded.Problems[:v.typed], func(p strictyaml.Problem) bool {
		rest, within := strings.CutPrefix(p.Path, path)
		return within && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// told reports whether a mistake of the very field is known.
func (v *validator) told(path string) bool {
	return slices.ContainsFunc(v.decoded.Problems, func(p strictyaml.Problem) bool { return p.Path == path })
}

func (v *validator) validate() {
	spec := &v.file.Scenario.Spec
	v.typed = len(v.decoded.Problems)
	v.names(spec)
	v.formats()
	v.labels(v.file.Scenario.Metadata.Labels)
	v.entries(spec)
	v.outcomes(spec)
	v.readiness(spec.Readiness)
	v.comparisons(spec)
	v.breaking(spec)
	v.matrix(spec.Matrix)
	v.charts(spec)
	v.driver(spec)
	v.cluster(spec.Cluster)
}

// cluster checks what is said of providers.
func (v *validator) cluster(c v1alpha1.Cluster) {
	var providers []string
	for _, info := range v.catalog.Providers {
		providers = append(providers, info.Name)
	}
	slices.Sort(providers)
	for _, name := range slices.Sorted(maps.Keys(c.NotOn)) {
		path := strictyaml.Join("spec.cluster.notOn", name)
		if err := known("provider", name, providers); err != nil {
			v.report(path, "%s", err)
		}
		if strings.TrimSpace(c.NotOn[name]) == "" {
			v.report(path, "gives no reason; say what differs there")
		}
	}
	if _, skipped := c.NotOn[c.Provider]; skipped && c.Provider != "" {
		v.report("spec.cluster.provider", "is %s, on which notOn skips the scenario; keep one of them", c.Provider)
	}
	if c.Kind != nil && c.Kind.Config != nil && c.Kind.ConfigFile != "" {
		v.report("spec.cluster.kind.configFile", "stands beside config; keep one of them")
	} else if c.Kind != nil {
		settings := Beside(v.file.Dir, *c.Kind)
		v.entry("spec.cluster", v1alpha1.Choice{Kind: "kind", Spec: &settings}, v.catalog.Providers)
		if n := listed(settings); c.Nodes > 0 && c.Nodes < n {
			v.report("spec.cluster.nodes", "is %d, and the kind configuration lists %d nodes; leave it out", c.Nodes, n)
		}
	}
}

// formats checks the texts whose fields have a format.
func (v *validator) formats() {
	for _, text := range v.decoded.Texts {
		check, ok := formats[text.Format]
		if v.full || !ok {
			continue
		}
		if err := check(v, text.Value); err != nil {
			v.reportAt(text.Position, text.Path, "%s", err)
		}
	}
}

// names collects the names of steps, actors and faults, which must be unique.
func (v *validator) names(spec *v1alpha1.Spec) {
	steps, actors, faults := map[string]string{}, map[string]string{}, map[string]string{}
	for path, step := range v.eachStep(spec) {
		v.unique(steps, path, "step", step.Name)
	}
	for i, actor := range spec.Actors {
		v.unique(actors, item("actors", i), "actor", actor.Name)
	}
	for i, fault := range spec.Faults {
		v.unique(faults, item("faults", i), "fault", fault.Name)
	}
	v.faults = slices.Sorted(maps.Keys(faults))
	v.steps, v.actors = slices.Sorted(maps.Keys(steps)), slices.Sorted(maps.Keys(actors))
}

// unique notes that the item at path has this name, or reports that another one has it already.
func (v *validator) unique(first map[string]string, path, kind, name string) {
	other, taken := first[name]
	switch {
	case name == "":
	case taken:
		v.report(path+".name", "%s is the name of %s too; give each %s a name of its own", fields.Quote(name), other, kind)
	default:
		first[name] = path
	}
}

// eachStep yields the steps, then those of finally, with their paths.
func (v *validator) eachStep(spec *v1alpha1.Spec) func(yield func(string, v1alpha1.Step) bool) {
	return func(yield func(string, v1alpha1.Step) bool) {
		for i, step := range spec.Steps {
			if !yield(item("steps", i), step) {
				return
			}
		}
		for i, step := range spec.Finally {
			if !yield(item("finally", i), step) {
				return
			}
		}
	}
}

// outcomes checks that what a step expects is one thing.
func (v *validator) outcomes(spec *v1alpha1.Spec) {
	for path, step := range v.eachStep(spec) {
		if step.Expect != nil && step.Expect.Any && step.Expect.Error != nil {
			v.report(path+".expect.error", "stands beside any, which lets the step succeed too; keep one of them")
		}
	}
}

// labels checks that every label can be selected by.
func (v *validator) labels(labels map[string]string) {
	for key, value := range labels {
		path := strictyaml.Join("metadata.labels", key)
		if problems := validation.IsQualifiedName(key); len(problems) > 0 {
			v.report(path, "%s is no label key: %s", fields.Quote(key), problems[0])
		}
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			v.report(path, "%s is no label value: %s", fields.Quote(value), problems[0])
		}
	}
}

func item(list string, i int) string { return fmt.Sprintf("spec.%s[%d]", list, i) }

// formats checks texts by the format tag of their field.
var formats = map[string]func(v *validator, text string) error{
	"name": func(_ *validator, text string) error {
		if len(validation.IsDNS1123Label(text)) > 0 {
			return fmt.Errorf("%s is no name: want at most %d lower-case letters, digits and dashes, with a letter or digit at each end", fields.Quote(text), validation.DNS1123LabelMaxLength)
		}
		return nil
	},
	"ref": func(_ *validator, text string) error {
		_, err := ref.Parse(text)
		return err
	},
	"path": func(_ *validator, text string) error {
		_, err := ownership.ParsePath(text)
		return err
	},
	"regexp": func(_ *validator, text string) error {
		_, err := regexp.Compile(text)
		return err
	},
	"issue": func(_ *validator, text string) error {
		if !issue.MatchString(text) {
			return fmt.Errorf("%s is no issue of the form owner/repository#number", fields.Quote(text))
		}
		return nil
	},
	"step":  func(v *validator, text string) error { return known("step", text, v.steps) },
	"actor": func(v *validator, text string) error { return known("actor", text, v.actors) },
	"fault": func(v *validator, text string) error { return known("fault", text, v.faults) },
}

var issue = regexp.MustCompile(`^[\w.-]+/[\w.-]+#[1-9][0-9]*$`)

// known reports whether the name is one of names, which are sorted.
func known(kind, name string, names []string) error {
	const mostHinted = 50 // of more names, none is suggested
	_, ok := slices.BinarySearch(names, name)
	switch {
	case ok:
		return nil
	case len(names) == 0:
		return fmt.Errorf("there is no %s %s; the scenario has none", kind, fields.Quote(name))
	case len(names) > mostHinted:
		return fmt.Errorf("there is no %s %s", kind, fields.Quote(name))
	default:
		return fmt.Errorf("there is no %s %s%s", kind, fields.Quote(name), registry.Hint(name[:min(len(name), 60)], names))
	}
}

// entries lets each registry entry check its spec, unless decoding has found mistakes in it already.
func (v *validator) entries(spec *v1alpha1.Spec) {
	for path, step := range v.eachStep(spec) {
		v.entry(path, step.Do, v.catalog.Operations)
	}
	for i, actor := range spec.Actors {
		v.entry(item("actors", i), actor.Do, v.catalog.Actors)
	}
	for i, fault := range spec.Faults {
		v.entry(item("faults", i), fault.Do, v.catalog.Faults)
	}
	for i, assertion := range spec.Assert {
		if v.entry(item("assert", i), assertion.Do, v.catalog.Assertions) {
			v.order(item("assert", i), assertion.Do)
		}
	}
}

// entry lets one registry entry check its spec, and reports whether the spec can be used. What has been told of a field
// by its format is not told again.
func (v *validator) entry(path string, choice v1alpha1.Choice, infos []registry.Info) (usable bool) {
	path += "." + choice.Kind
	i := slices.IndexFunc(infos, func(info registry.Info) bool { return info.Name == choice.Kind })
	if v.full || i < 0 || !v.sound(path) {
		return false
	}
	if infos[i].Validate == nil {
		return true
	}
	usable = true
	for _, problem := range infos[i].Validate(choice.Spec) {
		at := path
		switch {
		case strings.HasPrefix(problem.Path, "["):
			at += problem.Path
		case problem.Path != "":
			at += "." + problem.Path
		}
		if !v.told(at) {
			v.report(at, "%s", problem.Message)
			usable = false
		}
	}
	return usable
}

// workloadKinds are the kinds whose pods a readiness rule can hold.
var workloadKinds = []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"}

func (v *validator) readiness(rules []v1alpha1.ReadinessRule) {
	always := map[string]int{}
	for i, rule := range rules {
		path := item("readiness", i)
		switch workload, err := ref.Parse(rule.Workload); {
		case err != nil: // which its format tells
		case !slices.Contains(workloadKinds, workload.Kind):
			v.report(path+".workload", "%s has no pods of its own; want one of %s", workload.Kind, strings.Join(workloadKinds, ", "))
		case workload.Namespace != "":
			v.report(path+".workload", "is in namespace %s; a rule holds for pods of the scenario's own namespace alone, so leave the namespace out", fields.Quote(workload.Namespace))
		}
		if err := oneBehaviour(rule); err != nil && v.sound(path) {
			v.report(path, "%s", err)
		}
		if first, taken := always[rule.Workload]; taken && rule.Workload != "" {
			v.report(path, "is never reached: %s holds for the same workload during every step; put it last or give it steps", item("readiness", first))
		} else if len(rule.Steps) == 0 {
			always[rule.Workload] = i
		}
	}
}

// oneBehaviour checks that a rule states exactly one behaviour of pods.
func oneBehaviour(rule v1alpha1.ReadinessRule) error {
	var stated []string
	for _, b := range []struct {
		name string
		set  bool
	}{
		{"delay", rule.Delay != nil || rule.Jitter != nil},
		{"never", rule.Never},
		{"flap", rule.Flap != nil},
		{"fail", rule.Fail},
	} {
		if b.set {
			stated = append(stated, b.name)
		}
	}
	switch len(stated) {
	case 0:
		return errors.New("says nothing of readiness; add one of delay, never, flap, fail")
	case 1:
		return nil
	default:
		return fmt.Errorf("states %s at once; keep one of them (jitter goes with delay)", strings.Join(stated, " and "))
	}
}

// chartSource returns the chart that an operation names for itself.
func chartSource(spec any) (v1alpha1.ChartSource, bool) {
	v := reflect.ValueOf(spec)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return v1alpha1.ChartSource{}, false
	}
	field := v.Elem().FieldByName("ChartSource")
	if !field.IsValid() {
		return v1alpha1.ChartSource{}, false
	}
	source, ok := field.Interface().(v1alpha1.ChartSource)
	return source, ok
}
