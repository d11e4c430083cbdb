// Package compare holds two runs of the same scenarios against each other, assertion by assertion: on two cluster
// providers, with two versions of Helm, or before and after a change.
package compare

import (
	"cmp"
	"fmt"
	"slices"

	"rehearse.dev/rehearse/harness/verdict"
)

// Absent is what stands for a variant or a verdict that one of the runs does not have.
const Absent verdict.Status = "absent"

// Comparison is two runs side by side.
type Comparison struct {
	// Columns name the runs: by provider, or by ID where that does not tell them apart.
	Columns [2]string `json:"columns"`
	// Variants are those of the first run in its order, then those of the second alone.
	Variants []Variant `json:"variants"`
	// LeftOut counts the variants that only the first or only the second run has, if those were not compared.
	LeftOut [2]int `json:"leftOut,omitzero"`
	// Same is set if no verdict differs.
	Same bool `json:"same"`
}

// Variant is one variant in both runs.
type Variant struct {
	ID       string            `json:"id"`
	Statuses [2]verdict.Status `json:"statuses"`
	// Skipped is why it was skipped in one of the runs: then there is nothing to compare.
	Skipped string `json:"skipped,omitempty"`
	// Reasons are why it errored as a whole.
	Reasons  [2]string `json:"reasons,omitzero"`
	Verdicts []Row     `json:"verdicts"`
	Same     bool      `json:"same"`
}

// Row is one step or assertion in both runs.
type Row struct {
	Name     string            `json:"name"`
	Statuses [2]verdict.Status `json:"statuses"`
	// Messages are those of the verdicts.
	Messages [2]string `json:"messages,omitzero"`
	Same     bool      `json:"same"`
}

// Runs compares two runs. What was skipped in one of them, with a reason, is no difference; what is absent is one, but for
// the verdict on a readiness rule, which older versions did not give.
func Runs(a, b verdict.Run) Comparison {
	c := Comparison{Columns: columns(a, b), Same: true}
	others := map[string]verdict.Variant{}
	for _, v := range b.Variants {
		others[v.ID()] = v
	}
	for _, v := range a.Variants {
		other, ok := others[v.ID()]
		delete(others, v.ID())
		c.add(v, orAbsent(other, ok))
	}
	for _, v := range b.Variants {
		if _, alone := others[v.ID()]; alone {
			c.add(orAbsent(verdict.Variant{}, false), v)
		}
	}
	return c
}

// Common compares two runs without the variants that only one of them has, which it counts.
func Common(a, b verdict.Run) Comparison {
	bothA, bothB := only(a, b), only(b, a)
	c := Runs(bothA, bothB)
	c.LeftOut = [2]int{len(a.Variants) - len(bothA.Variants), len(b.Variants) - len(bothB.Variants)}
	return c
}

func only(run, other verdict.Run) verdict.Run {
	run.Variants = slices.DeleteFunc(slices.Clone(run.Variants), func(v verdict.Variant) bool {
		return !slices.ContainsFunc(other.Variants, func(o verdict.Variant) bool { return o.ID() == v.ID() })
	})
	return run
}

func orAbsent(v verdict.Variant, ok bool) verdict.Variant {
	if !ok {
		v.Status = Absent
	}
	return v
}

func (c *Comparison) add(a, b verdict.Variant) {
	v := Variant{ID: cmp.Or(a.ID(), b.ID()), Statuses: [2]verdict.Status{a.Status, b.Status}, Reasons: [2]string{a.Reason, b.Reason}, Verdicts: []Row{}}
	switch {
	case a.Status == verdict.Skipped:
		v.Skipped, v.Same = a.Reason, true
	case b.Status == verdict.Skipped:
		v.Skipped, v.Same = b.Reason, true
	default:
		v.Verdicts = rows(a.Verdicts, b.Verdicts)
		v.Same = a.Status == b.Status
		for _, row := range v.Verdicts {
			v.Same = v.Same && row.Same
		}
	}
	c.Variants = append(c.Variants, v)
	c.Same = c.Same && v.Same
}

func rows(a, b []verdict.Verdict) []Row {
	all := []Row{}
	others := map[string]verdict.Verdict{}
	for _, v := range b {
		others[v.Name] = v
	}
	for _, v := range a {
		other, ok := others[v.Name]
		if !ok {
			other.Status = Absent
		}
		delete(others, v.Name)
		all = append(all, row(v.Name, v, other))
	}
	for _, v := range b {
		if _, alone := others[v.Name]; alone {
			all = append(all, row(v.Name, verdict.Verdict{Status: Absent}, v))
		}
	}
	return all
}

func row(name string, a, b verdict.Verdict) Row {
	return Row{
		Name: name, Statuses: [2]verdict.Status{a.Status, b.Status}, Messages: [2]string{a.Message, b.Message},
		Same: a.Status == b.Status || unjudged(a, b) || unjudged(b, a),
	}
}

// unjudged tells whether the first run lacks a verdict because its version did not give any of that kind.
func unjudged(a, b verdict.Verdict) bool { return a.Status == Absent && b.Kind == "readiness" }

// columns names the runs by their one provider each, if those differ.
func columns(a, b verdict.Run) [2]string {
	first, second := provider(a), provider(b)
	if first == "" || second == "" || first == second {
		return [2]string{cmp.Or(a.ID, "first"), cmp.Or(b.ID, "second")}
	}
	return [2]string{first, second}
}

func provider(run verdict.Run) string {
	name := ""
	for i, v := range run.Variants {
		if i > 0 && v.Provider != name {
			return ""
		}
		name = v.Provider
	}
	return name
}

// Summary is one line about a comparison.
func (c Comparison) Summary() string {
	same, differ, skipped, verdicts := 0, 0, 0, 0
	for _, v := range c.Variants {
		switch {
		case v.Skipped != "":
			skipped++
		case v.Same:
			same++
		default:
			differ++
		}
		verdicts += len(v.Verdicts)
	}
	text := fmt.Sprintf("%d variants the same, %d different, %d skipped on one side; %d verdicts compared", same, differ, skipped, verdicts)
	if c.LeftOut != [2]int{} {
		text += fmt.Sprintf("; left out: %d only in %s, %d only in %s", c.LeftOut[0], c.Columns[0], c.LeftOut[1], c.Columns[1])
	}
	return text
}
