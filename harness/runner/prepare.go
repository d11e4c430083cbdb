package runner

import (
	"context"
	"fmt"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/scenario"
)

// Prepare renders the charts of all plans before any cluster boots. It decides which of them need a cluster of their
// own, and refuses charts that do not render, all at once; its error is of type scenario.Mistakes. cacheDir holds
// charts that are downloaded; kubeVersion is what charts are told, for example v1.36.3.
func Prepare(ctx context.Context, plans []plan.Plan, cacheDir, kubeVersion string) ([]plan.Plan, error) {
	var mistakes scenario.Mistakes
	seen := map[string]bool{}
	out := make([]plan.Plan, len(plans))
	for i, p := range plans {
		scoped := false
		for _, source := range sources(p) {
			charts := release.Charts{BaseDir: p.Dir, CacheDir: cacheDir}
			rendered, err := charts.Render(ctx, p.Scenario.Spec.Release, source.chart, kubeVersion)
			if err != nil {
				m := scenario.Mistake{File: p.File, Line: p.Lines[source.item], Column: 1, Path: "spec." + source.item, Message: err.Error()}
				if !source.mayFail && !seen[m.String()] { // the variants of a matrix share their mistakes
					mistakes, seen[m.String()] = append(mistakes, m), true
				}
				continue
			}
			scoped = scoped || len(release.ClusterScoped(rendered.All())) > 0 || len(rendered.OtherNamespaces()) > 0
		}
		if p.Needs.Isolation == isolationAuto {
			p.Needs.Isolation = isolationNamespace
			if scoped {
				p.Needs.Isolation = isolationCluster
			}
		}
		out[i] = p
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return out, nil
}

// source is what one step renders.
type source struct {
	item    string
	chart   v1alpha1.ChartSource
	mayFail bool
}

func sources(p plan.Plan) []source {
	var all []source
	for block, steps := range map[string][]plan.Step{"steps": p.Steps, "finally": p.Finally} {
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
	return all
}

// namespaceOf makes the name of a variant's namespace: at most 63 characters, and unique on the cluster by the run's ID
// and the variant's number.
func namespaceOf(p plan.Plan, runID string, number int) string {
	name := p.Scenario.Metadata.Name
	suffix := fmt.Sprintf("-%s-%d", runID[strings.LastIndex(runID, "-")+1:], number)
	return "rh-" + name[:min(len(name), 60-len(suffix))] + suffix
}
