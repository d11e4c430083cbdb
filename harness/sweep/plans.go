package sweep

import (
	"cmp"
	"fmt"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
)

// The names that a sweep gives to what it adds to a scenario.
const (
	cutName     = "sweep-cut"
	recoverName = "sweep-recover"
)

// Sweep is one step of a scenario and the ways in which it is to be broken and recovered.
type Sweep struct {
	// File is the scenario, and Plan one of its variants, whose charts were rendered.
	File scenario.File
	Plan plan.Plan
	// Options are those that Plan was compiled with.
	Options plan.Options
	// Step is the step's name.
	Step string
	Cuts []Cut
	Ways []Way
}

// Check says whether the step can be swept. Its error wraps ErrStep.
func (s Sweep) Check() error {
	i, err := s.index()
	if err != nil {
		return err
	}
	step := s.File.Scenario.Spec.Steps[i]
	if !slices.Contains([]string{"upgrade", "rollback"}, step.Do.Kind) {
		return fmt.Errorf("%w: %s is %s; a sweep breaks an upgrade or a rollback", ErrStep, step.Name, step.Do.Kind)
	}
	if e := step.Expect; e != nil && e.Error != nil {
		return fmt.Errorf("%w: %s is expected to fail; its writes are recorded from a run in which it succeeds", ErrStep, step.Name)
	}
	if i == 0 {
		return fmt.Errorf("%w: nothing comes before %s that it could be recovered to", ErrStep, step.Name)
	}
	return nil
}

func (s Sweep) index() (int, error) {
	steps := s.File.Scenario.Spec.Steps
	i := slices.IndexFunc(steps, func(step v1alpha1.Step) bool { return step.Name == s.Step })
	if i >= 0 {
		return i, nil
	}
	var names []string
	for _, step := range steps {
		names = append(names, step.Name)
	}
	return 0, fmt.Errorf("%w: the scenario has no step %q (there are: %s)", ErrStep, s.Step, join(names))
}

// Recording is the plan whose run shows what the step writes: the scenario up to it.
func (s Sweep) Recording() (plan.Plan, error) {
	return s.compile("sweep=recording", func(*v1alpha1.Spec) {})
}

// Try is one way to break the step at one write, and one to recover.
type Try struct {
	Write Write
	Cut   Cut
	Way   Way
	Plan  plan.Plan
}

// Tries makes the plans of a sweep, by write, then by cut, then by way. deployed is the revision that was deployed before
// the step.
func (s Sweep) Tries(writes []Write, deployed int) ([]Try, error) {
	var all []Try
	for i, w := range writes {
		for _, cut := range s.Cuts {
			for _, way := range s.Ways {
				recovery, ok := s.recovery(way, deployed)
				if !ok {
					continue
				}
				p, err := s.compile(fmt.Sprintf("write=%d,cut=%s,recover=%s", i+1, cut, way), func(spec *v1alpha1.Spec) {
					breakAt(spec, w, cut)
					spec.Steps = append(spec.Steps, recovery)
				})
				if err != nil {
					return nil, err
				}
				p.Matrix = map[string]string{"write": w.String(), "cut": string(cut), "recover": string(way)}
				all = append(all, Try{Write: w, Cut: cut, Way: way, Plan: p})
			}
		}
	}
	return all, nil
}

// breakAt breaks the last step at one of its writes, whatever that makes of it.
func breakAt(spec *v1alpha1.Spec, w Write, cut Cut) {
	last := &spec.Steps[len(spec.Steps)-1]
	last.During = append(slices.Clone(last.During), cutName)
	last.Expect = &v1alpha1.Expect{Any: true}
	f := faultOf(w, cut)
	if f.Do.Kind == "signalHelm" {
		spec.Release.Driver = "cli"
	}
	spec.Faults = append(slices.Clone(spec.Faults), f)
}

// recovery is the step that is to recover the release; false if the scenario has none of that kind. It uses no force,
// whatever the scenario does.
func (s Sweep) recovery(way Way, deployed int) (v1alpha1.Step, bool) {
	step := v1alpha1.Step{Name: recoverName, Expect: &v1alpha1.Expect{Any: true}}
	var plain v1alpha1.Options
	plain.ForceConflicts, plain.ForceReplace = new(bool), new(bool)
	if way == ByRollback {
		if deployed == 0 {
			return step, false
		}
		step.Do = v1alpha1.Choice{Kind: "rollback", Spec: &v1alpha1.Rollback{To: deployed, Options: plain}}
		return step, true
	}
	i, err := s.index()
	if err != nil {
		return step, false
	}
	for _, earlier := range slices.Backward(s.File.Scenario.Spec.Steps[:i+1]) {
		if upgrade, ok := earlier.Do.Spec.(*v1alpha1.Upgrade); ok {
			again := *upgrade
			again.ForceConflicts, again.ForceReplace = plain.ForceConflicts, plain.ForceReplace
			step.Do, step.Timeout = v1alpha1.Choice{Kind: earlier.Do.Kind, Spec: &again}, earlier.Timeout
			return step, true
		}
	}
	return step, false
}

// compile makes the plan of the scenario up to the step, changed by change, under a variant's name of its own.
func (s Sweep) compile(variant string, change func(*v1alpha1.Spec)) (plan.Plan, error) {
	i, err := s.index()
	if err != nil {
		return plan.Plan{}, err
	}
	file := s.File
	spec := &file.Scenario.Spec
	spec.Steps = slices.Clone(spec.Steps[:i+1])
	// What is expected of the whole says nothing of a part of it.
	spec.Assert, spec.KnownIssue = nil, nil
	spec.Faults = used(spec)
	spec.Readiness = optional(spec.Readiness)
	change(spec)
	plans, err := plan.Compile(file, s.Options)
	if err != nil {
		return plan.Plan{}, err
	}
	j := slices.IndexFunc(plans, func(p plan.Plan) bool { return p.Variant == s.Plan.Variant })
	if j < 0 {
		return plan.Plan{}, fmt.Errorf("the scenario has no variant %q", s.Plan.Variant)
	}
	p := plans[j]
	p.Variant = variant
	p.Needs.Isolation = s.Plan.Needs.Isolation
	p.Renders, p.ClusterScoped, p.Elsewhere = s.Plan.Renders, s.Plan.ClusterScoped, s.Plan.Elsewhere
	p.Secrets, p.Inputs = s.Plan.Secrets, s.Plan.Inputs
	return p, nil
}

// optional are readiness rules that need not hold: their steps may be cut off, and a break may keep their pods from being
// made. All are kept, as their place is part of what jitter is drawn from.
func optional(rules []v1alpha1.ReadinessRule) []v1alpha1.ReadinessRule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].RequireHeld = new(bool)
	}
	return rules
}

// used are the faults that the steps and finally name: any other one could not take effect.
func used(spec *v1alpha1.Spec) []v1alpha1.Fault {
	return slices.DeleteFunc(slices.Clone(spec.Faults), func(f v1alpha1.Fault) bool {
		return !slices.ContainsFunc(slices.Concat(spec.Steps, spec.Finally), func(step v1alpha1.Step) bool {
			inject, ok := step.Do.Spec.(*v1alpha1.Inject)
			return slices.Contains(step.During, f.Name) || ok && inject.Fault == f.Name
		})
	})
}

// Deployed is the revision that was deployed before a step, by the snapshot of the step before it; 0 if none was.
func Deployed(b *evidence.Bundle, step string) int {
	before, ok := b.Snapshot(previous(b, step))
	if !ok {
		return 0
	}
	var newest int
	for _, r := range before.Ledger.Revisions {
		if r.Status == "deployed" {
			newest = max(newest, r.Revision)
		}
	}
	return newest
}

// previous is the step before another one.
func previous(b *evidence.Bundle, step string) string {
	i := slices.Index(b.Variant.Steps, step)
	return b.Variant.Steps[cmp.Or(max(i, 1), 1)-1]
}
