package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"

	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// selection says which scenarios are meant, and with which seed.
type selection struct {
	label    string
	seed     int64
	provider string
	driver   string
	// kubeVersion is that of the cluster to run on, where one is there already.
	kubeVersion string
	// kubeBin is the control-plane binary that was named; empty if none was.
	kubeBin string
}

// seed is the value of a flag. 0 keeps the scenarios' own, which nobody can ask for.
type seed int64

// Set implements pflag.Value.
func (s *seed) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return errors.New("want a whole number from 1")
	}
	*s = seed(n)
	return nil
}

// String implements pflag.Value.
func (s *seed) String() string { return strconv.FormatInt(int64(*s), 10) }

// Type implements pflag.Value.
func (*seed) Type() string { return "int" }

func (s *selection) add(flags *pflag.FlagSet) {
	flags.StringVarP(&s.label, "label", "l", "", "only scenarios whose labels fit this selector, for example area=ownership,tier!=nightly")
	flags.Var((*seed)(&s.seed), "seed", "seed of everything random, from 1, instead of the scenarios' own")
	flags.StringVar(&s.driver, "driver", "", "how Helm is run, instead of what the scenarios say: sdk or cli")
	flags.StringVar(&s.provider, "provider", "", providerUsage())
}

func addKubeBin(flags *pflag.FlagSet, path *string) {
	flags.StringVar(path, "kube-bin", "", "control-plane binary to use instead of building one (also "+embedded.EnvKubeBinary+")")
}

func providerUsage() string {
	return "who makes the clusters, instead of what the scenarios say: " + strings.Join(providers.Registry().Names(), " or ")
}

// follow has all scenarios run on the cluster that was named: its provider is theirs.
func (s *selection) follow(info kept.Info) error {
	if s.provider != "" && s.provider != info.Provider {
		return usageError(fmt.Errorf("--provider %s: cluster %s is one of provider %s", s.provider, info.Name, info.Provider))
	}
	s.provider, s.kubeVersion = info.Provider, info.Version
	return nil
}

// attachError is that a cluster cannot be joined, which is a mistake of usage if there is none of that name.
func attachError(err error) error {
	if errors.Is(err, kept.ErrUnknown) {
		return usageError(fmt.Errorf("--cluster: %w", err))
	}
	return harnessError(err)
}

// plans reads the scenarios in paths, selects by label, compiles them and renders their charts.
func (s *selection) plans(ctx context.Context, paths []string) ([]plan.Plan, error) {
	selector, err := labels.Parse(s.label)
	if err != nil {
		return nil, fmt.Errorf("--label: %w", err)
	}
	if s.provider != "" {
		if _, err := providers.Registry().Lookup(s.provider); err != nil {
			return nil, fmt.Errorf("--provider: %w", err)
		}
	}
	if s.driver != "" && s.driver != "sdk" && s.driver != scenario.DriverCLI {
		return nil, fmt.Errorf("--driver: %q is neither sdk nor cli", s.driver)
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
		compiled, err := plan.Compile(file, plan.Options{Seed: s.seed, Provider: s.provider, Driver: s.driver})
		if err != nil {
			return nil, err
		}
		plans = append(plans, compiled...)
	}
	if len(plans) == 0 {
		return nil, fmt.Errorf("no scenario in %s fits the label selector %q", strings.Join(paths, ", "), s.label)
	}
	return s.prepare(ctx, plans)
}

// plansTold is plans that tells what it is at if it takes long: charts may have to be downloaded.
func (s *selection) plansTold(ctx context.Context, tell progress.Scope, paths []string) ([]plan.Plan, error) {
	late := time.AfterFunc(time.Second, func() { tell.WaitingFor("reading scenarios and their charts") })
	defer late.Stop()
	return s.plans(ctx, paths)
}

// prepare renders the charts of plans for the clusters that they get.
func (s *selection) prepare(ctx context.Context, plans []plan.Plan) ([]plan.Plan, error) {
	cache, err := chartCache()
	if err != nil {
		return nil, err
	}
	return runner.Prepare(ctx, plans, runner.Surroundings{CacheDir: cache, Attached: s.kubeVersion, KubeBinary: s.kubeBin})
}
