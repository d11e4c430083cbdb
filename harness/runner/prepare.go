package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/scenario"
)

// Surroundings are what plans are prepared for, beyond what they say.
type Surroundings struct {
	// CacheDir holds charts that are downloaded.
	CacheDir string
	// Attached is the Kubernetes version of the cluster that the run joins; empty if it boots all. Charts are told the version
	// of their cluster.
	Attached string
	// KubeBinary is the control-plane binary that was named on the command line; see providers.Options.
	KubeBinary string
}

// Prepare renders the charts of all plans before any cluster boots. It decides which of them need a cluster of their
// own, and refuses charts that do not render, all at once; its error is then of type scenario.Mistakes.
func Prepare(ctx context.Context, plans []plan.Plan, s Surroundings) ([]plan.Plan, error) {
	var mistakes scenario.Mistakes
	prepare := preparer{s, digests{}}
	out := make([]plan.Plan, len(plans))
	for i, p := range plans {
		r, err := prepare.one(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, source := range r.refused {
			mistakes = source.refuse(mistakes, p)
		}
		if out[i], err = withoutFaults(r.plan); err != nil {
			return nil, err
		}
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return out, nil
}

// rendering is a plan whose charts were rendered.
type rendering struct {
	plan    plan.Plan
	refused []refusal
}

// preparer prepares the plans of one run.
type preparer struct {
	Surroundings
	digests digests
}

// one renders the charts of a plan for the cluster that it gets. Which one that is may depend on what they render:
// where a run is attached, they are rendered for that cluster first.
func (r preparer) one(ctx context.Context, p plan.Plan) (rendering, error) {
	booted, err := r.kubeVersionFor(ctx, p.Needs)
	if err != nil {
		return rendering{}, err
	}
	version := r.Attached
	if version == "" || isolation(p.Needs.Isolation, wide(p.Scenario.Spec.Faults) || abroad(p.Scenario.Spec.Actors)) == isolationCluster {
		version = booted
	}
	charts := release.Charts{BaseDir: p.Dir, CacheDir: r.CacheDir}
	rendered, err := r.render(ctx, p, charts, version)
	if err != nil || version == booted || rendered.plan.Needs.Isolation != isolationCluster {
		return rendered, err
	}
	p.Needs.Isolation = isolationCluster
	return r.render(ctx, p, charts, booted)
}

// render renders the charts of a plan for a Kubernetes version, and decides by that what isolation it needs.
func (r preparer) render(ctx context.Context, p plan.Plan, charts release.Charts, kubeVersion string) (rendering, error) {
	scoped := wide(p.Scenario.Spec.Faults) || abroad(p.Scenario.Spec.Actors)
	var refused []refusal
	for _, source := range sources(p) {
		rendered, err := charts.Render(ctx, p.Scenario.Spec.Release, source.chart, kubeVersion)
		if ctx.Err() != nil {
			return rendering{}, fmt.Errorf("rendering the charts of %s: %w", p.ID(), context.Cause(ctx))
		}
		if err != nil {
			refused = append(refused, refusal{source, err})
			continue
		}
		all := rendered.All()
		outside := release.ClusterScoped(all)
		elsewhere := rendered.OtherNamespaces()
		scoped = scoped || len(outside) > 0 || len(elsewhere) > 0
		p.Elsewhere = append(p.Elsewhere, references(elsewhere)...)
		p.ClusterScoped = append(p.ClusterScoped, names(outside)...)
		p.Renders = append(p.Renders, names(rendered.Refs())...)
		p.Secrets = append(p.Secrets, secretsOf(all)...)
		p.Inputs = append(p.Inputs, chartInputs(rendered.Inputs)...)
	}
	p.ClusterScoped, p.Renders, p.Elsewhere = each(p.ClusterScoped), each(p.Renders), each(p.Elsewhere)
	files, err := r.digests.fileInputs(p)
	if err != nil {
		return rendering{}, err
	}
	p.Inputs = sortedInputs(append(p.Inputs, files...))
	p.Needs.Isolation = isolation(p.Needs.Isolation, scoped)
	return rendering{p, refused}, nil
}

// kubeVersionFor is the Kubernetes version that a cluster of these needs is going to have, if it is booted for them.
func (r preparer) kubeVersionFor(ctx context.Context, needs plan.Needs) (string, error) {
	provider, err := providers.Registry().Lookup(needs.Provider)
	if err != nil {
		return "", err
	}
	return provider.Code.KubeVersion(ctx, providers.Options{KubeBinary: r.KubeBinary}, needs.Settings())
}

func names(refs []evidence.Ref) []string {
	all := make([]string, len(refs))
	for i, ref := range refs {
		all[i] = ref.String()
	}
	return all
}

// references name objects wherever they are.
func references(refs []evidence.Ref) []string {
	all := make([]string, len(refs))
	for i, r := range refs {
		all[i] = ref.Ref{Kind: r.Kind, Group: r.Group, Namespace: r.Namespace, Name: r.Name}.String()
	}
	return all
}

// abroad reports whether an actor writes to an object outside of the scenario's namespace, as far as its kind tells.
func abroad(actors []v1alpha1.Actor) bool {
	if slices.ContainsFunc(actors, func(a v1alpha1.Actor) bool { return namespaceStated(a.Do.Spec) }) {
		return true
	}
	return slices.ContainsFunc(plan.Mentions(&v1alpha1.Spec{Actors: actors}), func(text string) bool {
		object, err := ref.Parse(text)
		return err == nil && (object.Namespace != "" || release.ClusterKind(object.Group, object.Kind))
	})
}

// namespaceStated reports whether an actor's manifest, which may have no name yet, is for another namespace.
func namespaceStated(spec any) bool {
	var manifest map[string]any
	switch spec := spec.(type) {
	case *v1alpha1.Create:
		manifest = spec.Manifest
	case *v1alpha1.Apply:
		manifest = spec.Manifest
	}
	metadata, _ := manifest["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	return namespace != ""
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

// refusal is why a source does not render.
type refusal struct {
	source
	err error
}

// refuse adds to mistakes that a source does not render, unless its step expects an error or another variant of the
// matrix has told of it already.
func (s refusal) refuse(mistakes scenario.Mistakes, p plan.Plan) scenario.Mistakes {
	m := scenario.Mistake{File: p.File, Line: p.Lines[s.item], Column: 1, Path: "spec." + s.item, Message: s.err.Error()}
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
			s := source{item: fmt.Sprintf("%s[%d]", block, i), mayFail: step.Expect != nil && (step.Expect.Error != nil || step.Expect.Any)}
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
