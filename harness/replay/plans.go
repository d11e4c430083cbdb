package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
)

// Plans are those of the run, to be prepared and run again; on another provider, if one is named. A plan is the one that
// was run, whatever has become of the scenario's file since. Only the values of Secrets are taken from there, and only if
// it says the same otherwise.
func (o Original) Plans(c scenario.Catalog, provider string) ([]plan.Plan, error) {
	var all []plan.Plan
	var problems []error
	for _, v := range o.Variants {
		p, err := unhidden(v.Plan, c)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", v.Plan.ID(), err))
			continue
		}
		p.Renders, p.ClusterScoped, p.Elsewhere, p.Inputs = nil, nil, nil, nil // which are found anew
		all = append(all, p.On(provider))
	}
	return all, errors.Join(problems...)
}

// Without leaves out the variants whose plans, which have been prepared, are not for their provider, and returns the other
// plans.
func (o *Original) Without(prepared []plan.Plan) []plan.Plan {
	var variants []Variant
	var plans []plan.Plan
	for i, p := range prepared {
		if reason := p.NotHere(); reason != "" {
			o.LeftOut = append(o.LeftOut, LeftOut{p.ID(), "not on " + p.Needs.Provider + ": " + reason})
			continue
		}
		variants, plans = append(variants, o.Variants[i]), append(plans, p)
	}
	o.Variants = variants
	return plans
}

// Numbered is the plan of the n-th replay, under a variant's name of its own.
func Numbered(p plan.Plan, n int) plan.Plan {
	p.Variant = strings.TrimPrefix(fmt.Sprintf("%s,replay=%d", p.Variant, n), ",")
	return p
}

// Changed says what of the inputs of the plans that were run is not the same in those to be run now, which have been
// prepared. The error is ErrChanged, if anything is. unknown are the plans of a version that did not note its inputs.
func (o Original) Changed(prepared []plan.Plan) (unknown []string, err error) {
	var changes []string
	for i, v := range o.Variants {
		if len(v.Plan.Inputs) == 0 {
			unknown = append(unknown, v.Plan.ID())
			continue
		}
		changes = append(changes, changed(v.Plan.Inputs, prepared[i])...)
	}
	slices.Sort(changes)
	if changes = slices.Compact(changes); len(changes) == 0 {
		return unknown, nil
	}
	return unknown, fmt.Errorf("%w: %s", ErrChanged, strings.Join(changes, "; "))
}

func changed(then []plan.Input, now plan.Plan) []string {
	var all []string
	for _, input := range then {
		if !slices.Contains(now.Inputs, input) {
			all = append(all, fmt.Sprintf("%s (as seen from %s) is not what it was", input.Name, or(now.Dir, ".")))
		}
	}
	return all
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// unhidden is a plan with the values of Secrets that its evidence has only as hashes.
func unhidden(p plan.Plan, c scenario.Catalog) (plan.Plan, error) {
	hidden, err := generic(p)
	if err != nil {
		return p, err
	}
	where := hashes(hidden, "spec")
	if where == "" {
		return p, nil
	}
	because := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s is a hash there, and the scenario file cannot tell it: %w", ErrHidden, where, fmt.Errorf(format, args...))
	}
	files, err := scenario.Load([]string{p.File}, c)
	if err != nil {
		return p, because("%v", err) // not as mistakes of a scenario that is to be run
	}
	i := slices.IndexFunc(files, func(f scenario.File) bool { return f.Scenario.Metadata.Name == p.Scenario.Metadata.Name })
	if i < 0 {
		return p, because("%s holds no scenario %s any more", p.File, p.Scenario.Metadata.Name)
	}
	compiled, err := plan.Compile(files[i], plan.Options{Seed: p.Seed, Provider: p.Needs.Provider, Driver: p.Scenario.Spec.Release.Driver})
	if err != nil {
		return p, because("%v", err)
	}
	j := slices.IndexFunc(compiled, func(q plan.Plan) bool { return q.Variant == p.Variant })
	if j < 0 {
		return p, because("%s has no variant %s any more", p.File, p.Variant)
	}
	plain, err := generic(compiled[j])
	if err != nil {
		return p, err
	}
	if path, same := fits(hidden, plain, "spec"); !same {
		return p, because("%s has changed since, at %s", p.File, path)
	}
	compiled[j].Needs = p.Needs
	return compiled[j], nil
}

// generic is a plan's spec as JSON.
func generic(p plan.Plan) (any, error) {
	spec := p.Scenario.Spec
	spec.Cluster.NotOn = nil // of which a run may know more than the file
	data, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var out any
	return out, json.Unmarshal(data, &out)
}

// hashes is the path of the first hash that stands for a secret value; empty if there is none.
func hashes(v any, path string) string {
	switch v := v.(type) {
	case string:
		if evidence.RedactedText.MatchString(v) {
			return path
		}
	case []any:
		for i, item := range v {
			if found := hashes(item, fmt.Sprintf("%s[%d]", path, i)); found != "" {
				return found
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if found := hashes(v[key], path+"."+key); found != "" {
				return found
			}
		}
	}
	return ""
}

// fits reports whether a value is what another one was before its secrets were hidden, or where it is not.
func fits(hidden, plain any, path string) (where string, same bool) {
	switch hidden := hidden.(type) {
	case string:
		if evidence.RedactedText.MatchString(hidden) {
			return path, around(hidden, plain)
		}
	case []any:
		list, ok := plain.([]any)
		if !ok || len(list) != len(hidden) {
			return path, false
		}
		for i := range hidden {
			if where, same := fits(hidden[i], list[i], fmt.Sprintf("%s[%d]", path, i)); !same {
				return where, false
			}
		}
		return path, true
	case map[string]any:
		fields, ok := plain.(map[string]any)
		if !ok {
			return path, false
		}
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if _, known := hidden[key]; !known {
				return path + "." + key, false
			}
		}
		for _, key := range slices.Sorted(maps.Keys(hidden)) {
			if where, same := fits(hidden[key], fields[key], path+"."+key); !same {
				return where, false
			}
		}
		return path, true
	}
	return path, hidden == plain
}

// around reports whether a value may be what was hidden in a text: anything in the place of a hash, and the rest as it is.
func around(hidden string, plain any) bool {
	parts := evidence.RedactedText.Split(hidden, -1)
	text, ok := plain.(string)
	if !ok {
		return slices.Equal(parts, []string{"", ""}) // a number, which was hidden as a whole
	}
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(text)
}
