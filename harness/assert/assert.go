// Package assert judges a bundle. Every assertion is a pure function of the evidence: it never talks to a cluster, and
// judging again gives the same verdicts. Evidence that is missing makes a verdict inconclusive, never passed.
package assert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/verdict"
)

// Func judges one assertion; spec is a pointer to the registered spec type.
type Func func(v *View, spec any) Result

// Result is what an assertion found. It failed if anything contradicts it, else it is inconclusive if anything it
// needs is missing, else it passed.
type Result struct {
	// Step is the step it was judged at; empty for the whole run.
	Step string
	// Failed says, one by one, what contradicts the assertion.
	Failed []string
	// Missing says what kept the assertion from being judged.
	Missing []string
	// Evidence lists timeline events that the result rests on.
	Evidence []int64
}

func (r *Result) fail(format string, args ...any) {
	r.Failed = append(r.Failed, fmt.Sprintf(format, args...))
}

func (r *Result) miss(format string, args ...any) {
	r.Missing = append(r.Missing, fmt.Sprintf(format, args...))
}

func (r *Result) rest(seqs ...int64) {
	for _, seq := range seqs {
		if seq > 0 {
			r.Evidence = append(r.Evidence, seq)
		}
	}
}

// Registry lists the assertions.
func Registry() registry.Registry[Func] {
	return registry.New("assertion",
		ownershipEntry(), readinessOrderEntry(), ledgerEntry(), liveEntry(), recoveryTimeEntry(), objectEntry(), eventsEntry(), firingsEntry(), requestsEntry())
}

// typed adapts a function of one spec type.
func typed[T any](judge func(v *View, spec *T) Result) Func {
	return func(v *View, spec any) Result {
		s, ok := spec.(*T)
		if !ok {
			return Result{Missing: []string{fmt.Sprintf("the assertion's spec is a %T, not a %T", spec, s)}}
		}
		return judge(v, s)
	}
}

// validated adapts a validation of one spec type.
func validated[T any](check func(spec *T) []registry.Problem) func(any) []registry.Problem {
	return func(spec any) []registry.Problem {
		if s, ok := spec.(*T); ok {
			return check(s)
		}
		return nil
	}
}

// Judge gives a verdict on every planned step, in order, on every fault, on every readiness rule and then on every assertion
// of the scenario that the bundle is evidence of.
func Judge(b *evidence.Bundle, spec v1alpha1.Spec) []verdict.Verdict {
	v := NewView(b, len(spec.Finally))
	all := append(v.judgeSteps(), v.judgeFaults(spec.Faults)...)
	all = append(all, v.judgeRules(spec.Readiness)...)
	reg := Registry()
	for i, a := range spec.Assert {
		all = append(all, v.judge(reg, a, i))
	}
	for i := range all {
		v.blameIssue(&all[i], spec.KnownIssue)
		all[i].File = b.Variant.File
	}
	if reason := Unavailable(b); reason != "" {
		skip(all, reason)
	}
	makeUnique(all)
	return all
}

func (v *View) judge(reg registry.Registry[Func], a v1alpha1.Assertion, index int) verdict.Verdict {
	out := verdict.Verdict{
		Kind: a.Do.Kind, Line: v.Bundle.Variant.Lines[fmt.Sprintf("assert[%d]", index)],
	}
	if a.KnownIssue != nil {
		out.KnownIssue = a.KnownIssue.Issue
	}
	entry, err := reg.Lookup(a.Do.Kind)
	if err != nil {
		out.Name = cmp.Or(a.Name, a.Do.Kind)
		out.Status, out.Message = verdict.Inconclusive, err.Error()
		return out
	}
	result := entry.Code(v, a.Do.Spec)
	out.Name = cmp.Or(a.Name, nameOf(a.Do, result.Step))
	out.Step = result.Step
	out.Evidence = tidy(result.Evidence)
	switch {
	case len(result.Failed) > 0:
		out.Status, out.Message = verdict.Failed, join(result.Failed)
	case len(result.Missing) > 0:
		out.Status, out.Message = verdict.Inconclusive, join(result.Missing)
	default:
		out.Status = verdict.Passed
	}
	return out
}

// nameOf makes a name from an assertion, its target and its step.
func nameOf(do v1alpha1.Choice, step string) string {
	parts := []string{do.Kind}
	switch spec := do.Spec.(type) {
	case *v1alpha1.Ownership:
		parts = append(parts, spec.Object, spec.Field)
	case *v1alpha1.ObjectMatch:
		parts = append(parts, spec.Object)
	case *v1alpha1.Events:
		parts = append(parts, spec.Object, spec.Reason)
	case *v1alpha1.Firings:
		parts = append(parts, spec.Fault)
	}
	if step != "" {
		parts = append(parts, "at", step)
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// makeUnique numbers names that occur again.
func makeUnique(all []verdict.Verdict) {
	seen := map[string]bool{}
	for i := range all {
		name := all[i].Name
		for n := 2; seen[all[i].Name]; n++ {
			all[i].Name = fmt.Sprintf("%s (%d)", name, n)
		}
		seen[all[i].Name] = true
	}
}

// maxFindings is how many findings a message lists.
const maxFindings = 10

// join makes one message of findings: sorted, each once, capped.
func join(findings []string) string {
	findings = slices.Compact(slices.Sorted(slices.Values(findings)))
	if more := len(findings) - maxFindings; more > 0 {
		findings = append(findings[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(findings, "; ")
}

func tidy(seqs []int64) []int64 {
	return slices.Compact(slices.Sorted(slices.Values(seqs)))
}
