// Package plan turns a scenario into what is to be run: one Plan for each variant of its matrix, with every option
// resolved, a deadline for every step, what it needs and what it may touch. It is pure.
package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// Plan is one variant of a scenario, ready to be run.
type Plan struct {
	// Scenario is resolved: its options are those of this variant, defaults are filled in, the matrix is gone.
	Scenario v1alpha1.Scenario `json:"scenario"`
	// File is the scenario's file.
	File string `json:"file"`
	// Dir is the folder that relative paths in the scenario start from.
	Dir string `json:"dir"`
	// Lines maps list items of the spec, such as steps[2], to lines of File.
	Lines map[string]int `json:"lines,omitempty"`
	// Variant names the cell of the matrix, for example serverSide=auto,wait=legacy; empty without a matrix.
	Variant string `json:"variant,omitempty"`
	// Matrix holds the variant's values by option.
	Matrix map[string]string `json:"matrix,omitempty"`
	// Seed is what everything random in the run is drawn from; see Rand.
	Seed int64 `json:"seed"`
	// Needs is what the cluster must offer.
	Needs Needs `json:"needs"`
	// Renders lists, as Kind/name, the objects and hooks that its charts render in any of the steps; known once the charts
	// were rendered.
	Renders []string `json:"renders,omitempty"`
	// ClusterScoped lists those of Renders that are outside of namespaces.
	ClusterScoped []string `json:"clusterScoped,omitempty"`
	// Elsewhere lists, as Kind.group/namespace/name, what its charts render into other namespaces than the scenario's.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Inputs are the charts and value files that its steps read; known once the charts were rendered.
	Inputs []Input `json:"inputs,omitempty"`
	// Touches is what the run may change, beside what the harness itself makes.
	Touches []Touch `json:"touches"`
	// Steps are the operations in order.
	Steps []Step `json:"steps"`
	// Finally are the operations that run after them, whatever became of them.
	Finally []Step `json:"finally,omitempty"`
	// Longest is the sum of all deadlines, clean-up included. It is no bound: booting a cluster, set-up, Helm's grace once its
	// deadline has passed, and the evidence at the end of each step come on top.
	Longest metav1.Duration `json:"longest"`
	// Secrets are the Secrets that the charts render, once that is known: what evidence must hide.
	Secrets []map[string]any `json:"-"`
}

// ID names the variant within a run: scenario, or scenario[variant].
func (p Plan) ID() string {
	if p.Variant == "" {
		return p.Scenario.Metadata.Name
	}
	return p.Scenario.Metadata.Name + "[" + p.Variant + "]"
}

// Step is one operation with its deadline.
type Step struct {
	// Name is unique within the plan.
	Name string `json:"name"`
	// Operation is the operation's name in its registry.
	Operation string `json:"operation"`
	// Timeout is the step's deadline.
	Timeout metav1.Duration `json:"timeout"`
	// During names the faults that are active while it runs. In JSON it stands in the scenario only.
	During []string `json:"-"`
	// Expect is the outcome it must have; nil is success. In JSON it stands in the scenario only.
	Expect *v1alpha1.Expect `json:"-"`
	// Spec points to the operation's resolved spec. In JSON it stands in the scenario only.
	Spec any `json:"-"`
}

// Input is something that a plan reads beside its scenario.
type Input struct {
	// Name says what it is, for example chart ../../charts/shop.
	Name string `json:"name"`
	// Digest changes with its content.
	Digest string `json:"digest"`
}

// Needs is what a cluster must offer.
type Needs struct {
	// Provider is who makes the cluster.
	Provider string `json:"provider"`
	// Kind holds the settings for provider kind; nil for another one.
	Kind *v1alpha1.KindCluster `json:"kind,omitempty"`
	// Nodes is how many nodes it has.
	Nodes int `json:"nodes"`
	// Isolation is namespace, cluster or auto; auto depends on what the chart renders.
	Isolation string `json:"isolation"`
}

// Options are what an invocation of the program sets.
type Options struct {
	// Seed replaces the scenario's; 0 keeps it.
	Seed int64
	// Provider replaces the scenario's; empty keeps it.
	Provider string
	// Driver replaces the scenario's way to run Helm; empty keeps it.
	Driver string
}

// Compile makes the plans of a loaded scenario, one for each combination of the matrix: options in alphabetical order,
// the last one varying fastest.
func Compile(file scenario.File, opts Options) ([]Plan, error) {
	var plans []Plan
	for _, cell := range cells(file.Scenario.Spec.Matrix) {
		p, err := compile(file, cell, opts)
		if err != nil {
			return nil, fmt.Errorf("%s: planning variant %q: %w", file.Path, variantName(cell), err)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

func compile(file scenario.File, cell map[string]string, opts Options) (Plan, error) {
	file.Scenario.Spec.Release.Driver = cmp.Or(opts.Driver, file.Scenario.Spec.Release.Driver)
	resolved, err := resolve(file.Scenario, cell)
	if err != nil {
		return Plan{}, err
	}
	if opts.Seed != 0 {
		resolved.Spec.Seed = opts.Seed
	}
	spec := &resolved.Spec
	spec.Cluster.Provider = cmp.Or(opts.Provider, spec.Cluster.Provider)
	p := Plan{
		Scenario: resolved,
		File:     file.Path,
		Dir:      file.Dir,
		Lines:    file.Lines,
		Variant:  variantName(cell),
		Matrix:   cell,
		Seed:     spec.Seed,
		Needs:    needs(spec.Cluster, file.Dir),
		Steps:    steps(spec.Steps, spec.Timeouts),
		Finally:  steps(spec.Finally, spec.Timeouts),
	}
	p.Touches = touches(spec)
	p.Longest = metav1.Duration{Duration: total(p.Steps) + total(p.Finally) + breaking(spec) + spec.Timeouts.Cleanup.Duration}
	return p, nil
}

// needs are those of a scenario in dir, from which relative paths start.
func needs(c v1alpha1.Cluster, dir string) Needs {
	n := Needs{Provider: c.Provider, Nodes: scenario.Nodes(dir, c), Isolation: c.Isolation}
	if c.Provider != "kind" || c.Kind == nil {
		return n
	}
	settings := scenario.Beside(dir, *c.Kind)
	n.Kind = &settings
	return n
}

// On is the plan on a cluster of another provider; an empty provider changes nothing.
func (p Plan) On(provider string) Plan {
	if provider == "" || provider == p.Needs.Provider {
		return p
	}
	p.Scenario.Spec.Cluster.Provider = provider
	isolation := p.Needs.Isolation
	p.Needs = needs(p.Scenario.Spec.Cluster, p.Dir)
	p.Needs.Isolation = isolation // which its charts had decided
	return p
}

// Settings are those for the provider; nil if there are none.
func (n Needs) Settings() any {
	if n.Kind == nil {
		return nil
	}
	return n.Kind
}

// NotHere says why the scenario is skipped on its cluster's provider; empty if it is not.
func (p Plan) NotHere() string { return p.Scenario.Spec.Cluster.NotOn[p.Needs.Provider] }

func steps(specs []v1alpha1.Step, timeouts v1alpha1.Timeouts) []Step {
	var all []Step
	for _, s := range specs {
		timeout := timeouts.Step
		if s.Timeout != nil {
			timeout = s.Timeout
		}
		all = append(all, Step{Name: s.Name, Operation: s.Do.Kind, Timeout: *timeout, During: s.During, Expect: s.Expect, Spec: s.Do.Spec})
	}
	return all
}

func total(steps []Step) time.Duration {
	var sum time.Duration
	for _, s := range steps {
		sum += s.Timeout.Duration
	}
	return sum
}

// breaking is how long faults may take beside the operations: to take effect and to recover, each time that a step names
// them, and to recover at the end.
func breaking(spec *v1alpha1.Spec) time.Duration {
	var sum time.Duration
	for _, f := range spec.Faults {
		sum += f.Timeout.Duration
		for _, step := range slices.Concat(spec.Steps, spec.Finally) {
			if slices.Contains(step.During, f.Name) {
				sum += 2 * f.Timeout.Duration
			}
		}
	}
	return sum
}

// cells lists the combinations of a matrix; without one there is a single, empty cell.
func cells(matrix map[string][]string) []map[string]string {
	all := []map[string]string{nil}
	for _, option := range slices.Sorted(maps.Keys(matrix)) {
		var next []map[string]string
		for _, cell := range all {
			for _, value := range matrix[option] {
				wider := map[string]string{option: value}
				maps.Copy(wider, cell)
				next = append(next, wider)
			}
		}
		all = next
	}
	return all
}

func variantName(cell map[string]string) string {
	var parts []string
	for _, option := range slices.Sorted(maps.Keys(cell)) {
		parts = append(parts, option+"="+cell[option])
	}
	return strings.Join(parts, ",")
}

// Read reads a plan back that was written as JSON.
func Read(data []byte, c scenario.Catalog) (Plan, error) {
	var p Plan
	if problems := strictyaml.Decode(data, &p, c.Registries()).Problems; len(problems) > 0 {
		first := problems[0]
		return Plan{}, fmt.Errorf("the plan cannot be read: line %d, column %d: %s: %s", first.Line, first.Column, first.Path, first.Message)
	}
	if err := fill(p.Steps, p.Scenario.Spec.Steps); err != nil {
		return Plan{}, err
	}
	return p, fill(p.Finally, p.Scenario.Spec.Finally)
}

// fill gives the steps what JSON holds in the scenario only.
func fill(steps []Step, specs []v1alpha1.Step) error {
	if len(steps) != len(specs) {
		return fmt.Errorf("the plan has %d steps where its scenario has %d; it was changed after it was written", len(steps), len(specs))
	}
	for i := range steps {
		steps[i].During, steps[i].Expect, steps[i].Spec = specs[i].During, specs[i].Expect, specs[i].Do.Spec
	}
	return nil
}
