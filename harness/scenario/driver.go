package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/schema/fields"
)

// DriverCLI is the driver that runs the helm command.
const DriverCLI = "cli"

// helmVersions are those that driver cli can run.
var helmVersions = regexp.MustCompile(`^v?[34]\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// driver checks the helm commands that a scenario names, and what needs the driver that runs them.
func (v *validator) driver(spec *v1alpha1.Spec) {
	v.helm("spec.release.helm", spec.Release.Helm, spec.Release)
	v.helm("spec.release.options.helm", spec.Release.Options.Helm, spec.Release)
	for i, version := range spec.Matrix["helm"] {
		v.helm(fmt.Sprintf("spec.matrix.helm[%d]", i), &v1alpha1.Helm{Version: version}, spec.Release)
	}
	for i, f := range spec.Faults {
		path := item("faults", i) + "." + f.Do.Kind
		v.client(path, f, spec.Release)
	}
	for path, step := range v.eachStep(spec) {
		v.helm(path+"."+step.Do.Kind+".helm", statedHelm(step.Do.Spec), spec.Release)
	}
}

// client checks a fault of Helm itself.
func (v *validator) client(path string, f v1alpha1.Fault, release v1alpha1.Release) {
	var trigger v1alpha1.HelmTrigger
	switch spec := f.Do.Spec.(type) {
	case *v1alpha1.SignalHelm:
		trigger = spec.HelmTrigger
		if release.Driver != DriverCLI {
			v.report(path, "needs release.driver: cli; with driver sdk Helm is no process of its own that could be signalled")
		}
	case *v1alpha1.CancelHelm:
		trigger = spec.HelmTrigger
		if spec.As == "timedOut" && release.Driver == DriverCLI {
			v.report(path+".as", "needs release.driver: sdk; the context of driver cli is that of the helm command")
		}
	case *v1alpha1.RivalHelm:
		trigger = spec.HelmTrigger
		for _, operation := range spec.Operations() {
			v.helm(path+"."+operation.Kind+".helm", statedHelm(operation.Spec), release)
			if source, ok := chartSource(operation.Spec); ok {
				v.chart(path+"."+operation.Kind, source.Chart, release.Repo)
				v.valueFiles(path+"."+operation.Kind, source.ValueFiles)
			}
		}
	default:
		return
	}
	if f.AfterRequest != nil {
		v.report(strings.TrimSuffix(path, "."+f.Do.Kind)+".afterRequest", "is not for faults of Helm itself; state their own after instead, as in %s: {after: …}", f.Do.Kind)
		return
	}
	if trigger == (v1alpha1.HelmTrigger{}) && !f.Late() && v.sound(path) {
		v.report(path, "says not when it acts; add before, after or when, or give the fault an after")
	}
}

func (v *validator) helm(path string, h *v1alpha1.Helm, release v1alpha1.Release) {
	switch {
	case h == nil || !v.sound(path):
		return
	case release.Driver != DriverCLI:
		v.report(path, "needs release.driver: cli; driver sdk runs the Helm that this program is made of")
	case (h.Path == "") == (h.Version == ""):
		v.report(path, "want one of version and path")
	case h.Version != "" && !helmVersions.MatchString(h.Version):
		v.report(path, "%s is no version of Helm 3 or 4; want one such as 4.2.0", fields.Quote(h.Version))
	case h.Path != "":
		if info, err := os.Stat(v.local(h.Path)); err != nil {
			v.report(path+".path", "the helm command %s cannot be read: %s; a path is relative to the scenario file", v.local(h.Path), cause(err))
		} else if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			v.report(path+".path", "%s is no executable file", filepath.Clean(v.local(h.Path)))
		}
	}
}

// statedHelm is the helm command that an operation names for itself; nil if it names none.
func statedHelm(spec any) *v1alpha1.Helm {
	v := reflect.ValueOf(spec)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	field, ok := fields.Find(fields.Of(v.Elem().Type()), "helm")
	if !ok {
		return nil
	}
	h, _ := field.Of(v.Elem()).Interface().(*v1alpha1.Helm)
	return h
}
