package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/scenario"
)

// Prepare renders the charts of all plans before any cluster boots. It decides which of them need a cluster of their
// own, and refuses charts that do not render, all at once; its error is then of type scenario.Mistakes. cacheDir holds
// charts that are downloaded. Charts are told the Kubernetes version of their cluster's provider.
func Prepare(ctx context.Context, plans []plan.Plan, cacheDir string) ([]plan.Plan, error) {
	var mistakes scenario.Mistakes
	out := make([]plan.Plan, len(plans))
	for i, p := range plans {
		charts := release.Charts{BaseDir: p.Dir, CacheDir: cacheDir}
		scoped := wide(p.Scenario.Spec.Faults)
		kubeVersion, err := kubeVersionFor(ctx, p.Needs)
		if err != nil {
			return nil, err
		}
		for _, source := range sources(p) {
			rendered, err := charts.Render(ctx, p.Scenario.Spec.Release, source.chart, kubeVersion)
			if ctx.Err() != nil {
				return nil, fmt.Errorf("rendering the charts of %s: %w", p.ID(), context.Cause(ctx))
			}
			if err != nil {
				mistakes = source.refuse(mistakes, p, err)
				continue
			}
			all := rendered.All()
			outside := release.ClusterScoped(all)
			scoped = scoped || len(outside) > 0 || len(rendered.OtherNamespaces()) > 0
			p.ClusterScoped = append(p.ClusterScoped, names(outside)...)
			p.Renders = append(p.Renders, names(rendered.Refs())...)
			p.Secrets = append(p.Secrets, secretsOf(all)...)
			p.Inputs = append(p.Inputs, inputs(rendered.Inputs)...)
		}
		p.ClusterScoped, p.Renders = each(p.ClusterScoped), each(p.Renders)
		slices.SortFunc(p.Inputs, func(a, b plan.Input) int { return cmp.Compare(a.Name, b.Name) })
		p.Inputs = slices.Compact(p.Inputs)
		p.Needs.Isolation = isolation(p.Needs.Isolation, scoped)
		if p, err = withoutFaults(p); err != nil {
			return nil, err
		}
		out[i] = p
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return out, nil
}

func inputs(digests map[string]string) []plan.Input {
	var all []plan.Input
	for name, digest := range digests {
		all = append(all, plan.Input{Name: name, Digest: digest})
	}
	return all
}

// kubeVersionFor is the Kubernetes version that a cluster of these needs is going to have.
func kubeVersionFor(ctx context.Context, needs plan.Needs) (string, error) {
	provider, err := providers.Registry().Lookup(needs.Provider)
	if err != nil {
		return "", err
	}
	return provider.Code.KubeVersion(ctx, needs.Settings())
}

func names(refs []evidence.Ref) []string {
	all := make([]string, len(refs))
	for i, ref := range refs {
		all[i] = ref.String()
	}
	return all
}

// each sorts names and drops those that occur again.
func each(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// withoutFaults has a plan skipped whose faults its provider is known not to have.
func withoutFaults(p plan.Plan) (plan.Plan, error) {
	provider, err := providers.Registry().Lookup(p.Needs.Provider)
	if err != nil || p.NotHere() != "" {
		return p, err
	}
	for _, f := range p.Scenario.Spec.Faults {
		if reason := fault.NotOn(f, provider.Code.Lacks); reason != nil {
			notOn := map[string]string{p.Needs.Provider: reason.Error()}
			maps.Copy(notOn, p.Scenario.Spec.Cluster.NotOn)
			p.Scenario.Spec.Cluster.NotOn = notOn
			return p, nil
		}
	}
	return p, nil
}

// isolation decides what auto stands for.
func isolation(stated string, scoped bool) string {
	switch {
	case stated != isolationAuto:
		return stated
	case scoped:
		return isolationCluster
	}
	return isolationNamespace
}

// wide reports whether any fault reaches beyond the scenario's namespace.
func wide(faults []v1alpha1.Fault) bool {
	return slices.ContainsFunc(faults, func(f v1alpha1.Fault) bool {
		entry, err := fault.Registry().Lookup(f.Do.Kind)
		return err == nil && entry.Code.Wide
	})
}

func secretsOf(objects []map[string]any) []map[string]any {
	var all []map[string]any
	for _, o := range objects {
		if o["kind"] == "Secret" {
			all = append(all, o)
		}
	}
	return all
}

// source is what one step renders.
type source struct {
	item    string
	chart   v1alpha1.ChartSource
	mayFail bool
}

// refuse adds to mistakes that a source does not render, unless its step expects an error or another variant of the
// matrix has told of it already.
func (s source) refuse(mistakes scenario.Mistakes, p plan.Plan, err error) scenario.Mistakes {
	m := scenario.Mistake{File: p.File, Line: p.Lines[s.item], Column: 1, Path: "spec." + s.item, Message: err.Error()}
	if s.mayFail || slices.Contains(mistakes, m) {
		return mistakes
	}
	return append(mistakes, m)
}

// sources lists what the steps render, in their order.
func sources(p plan.Plan) []source {
	var all []source
	add := func(block string, steps []plan.Step) {
		for i, step := range steps {
			s := source{item: fmt.Sprintf("%s[%d]", block, i), mayFail: step.Expect != nil && step.Expect.Error != nil}
			switch spec := step.Spec.(type) {
			case *v1alpha1.Install:
				s.chart = spec.ChartSource
			case *v1alpha1.Upgrade:
				s.chart = spec.ChartSource
			default:
				continue
			}
			all = append(all, s)
		}
	}
	add("steps", p.Steps)
	add("finally", p.Finally)
	for i, f := range p.Scenario.Spec.Faults {
		if rival, ok := f.Do.Spec.(*v1alpha1.RivalHelm); ok && rival.Upgrade != nil {
			all = append(all, source{item: fmt.Sprintf("faults[%d]", i), chart: rival.Upgrade.ChartSource})
		}
	}
	return all
}

// namespaceOf makes the name of a variant's namespace: at most 63 characters, and unique on the cluster by the run's token
// and the variant's number.
func namespaceOf(p plan.Plan, token string, number int) string {
	name := p.Scenario.Metadata.Name
	suffix := fmt.Sprintf("-%s-%d", token, number)
	return "rh-" + name[:min(len(name), 60-len(suffix))] + suffix
}
