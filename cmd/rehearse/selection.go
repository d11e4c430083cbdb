package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"

	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// selection says which scenarios are meant, and with which seed.
type selection struct {
	label string
	seed  int64
}

func (s *selection) add(flags *pflag.FlagSet) {
	flags.StringVarP(&s.label, "label", "l", "", "only scenarios whose labels fit this selector, for example area=ownership,tier!=nightly")
	flags.Int64Var(&s.seed, "seed", 0, "seed of everything random, instead of the scenarios' own")
}

// plans reads the scenarios in paths, selects by label, compiles them and renders their charts.
func (s *selection) plans(ctx context.Context, paths []string) ([]plan.Plan, error) {
	selector, err := labels.Parse(s.label)
	if err != nil {
		return nil, fmt.Errorf("--label: %w", err)
	}
	files, err := scenario.Load(paths, runner.Catalog())
	if err != nil {
		return nil, err
	}
	var plans []plan.Plan
	for _, file := range files {
		if !selector.Matches(labels.Set(file.Scenario.Metadata.Labels)) {
			continue
		}
		compiled, err := plan.Compile(file, plan.Options{Seed: s.seed})
		if err != nil {
			return nil, err
		}
		plans = append(plans, compiled...)
	}
	if len(plans) == 0 {
		return nil, fmt.Errorf("no scenario in %s fits the label selector %q", strings.Join(paths, ", "), s.label)
	}
	cache, err := chartCache()
	if err != nil {
		return nil, err
	}
	kube, err := embedded.KubeVersion()
	if err != nil {
		return nil, err
	}
	return runner.Prepare(ctx, plans, cache, kube)
}
