package release

import (
	"context"
	"fmt"
	"log/slog"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

// renderNamespace stands in for the release's namespace where a chart is rendered without one.
const renderNamespace = "rehearse"

// Rendered is what a chart makes of its values.
type Rendered struct {
	// Objects are those of the manifest and of the chart's crds folder, in the order Helm would apply them.
	Objects []map[string]any
	// Hooks are the hooks' objects.
	Hooks []map[string]any
	// Inputs are the digests of the chart and of its value files, by what they are called in the scenario.
	Inputs map[string]string
}

// All returns objects and hooks.
func (r Rendered) All() []map[string]any {
	return append(r.Objects[:len(r.Objects):len(r.Objects)], r.Hooks...)
}

// Refs names objects and hooks, in their order.
func (r Rendered) Refs() []evidence.Ref {
	var refs []evidence.Ref
	for _, o := range r.All() {
		refs = append(refs, refOf(o))
	}
	return refs
}

// OtherNamespaces returns the objects, hooks included, that name another namespace than the release's: two scenarios
// that share a cluster would share these too.
func (r Rendered) OtherNamespaces() []evidence.Ref {
	var refs []evidence.Ref
	for _, o := range r.All() {
		if ref := refOf(o); ref.Namespace != "" && ref.Namespace != renderNamespace {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Render renders the chart of one operation without a cluster, as helm template does. kubeVersion, for example v1.36.3,
// is what the chart's version checks see. Every API version that Helm knows counts as served, and lookups find nothing.
func (c Charts) Render(ctx context.Context, rel v1alpha1.Release, src v1alpha1.ChartSource, kubeVersion string) (Rendered, error) {
	loaded, err := c.load(ctx, rel, src)
	if err != nil {
		return Rendered{}, err
	}
	if err := loaded.installable(); err != nil {
		return Rendered{}, err
	}
	contents, err := c.inputsOf(loaded, rel, src) // before Helm prunes what the values disable
	if err != nil {
		return Rendered{}, err
	}
	a := action.NewInstall(action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler)))
	a.ReleaseName, a.Namespace = rel.Name, renderNamespace
	a.DryRunStrategy = action.DryRunClient
	a.IncludeCRDs = true
	// Stated always: Helm's default is another one inside a test binary.
	if a.KubeVersion, err = common.ParseKubeVersion(kubeVersion); err != nil {
		return Rendered{}, fmt.Errorf("rendering for Kubernetes version %q: %w", kubeVersion, err)
	}
	name := or(src.Chart, rel.Chart)
	var out any
	if err := recovered(func() (err error) {
		out, err = a.RunWithContext(ctx, loaded.chart, loaded.values)
		return err
	}); err != nil {
		return Rendered{}, fmt.Errorf("chart %s does not render: %w", name, err)
	}
	record, ok := out.(*v1.Release)
	if !ok {
		return Rendered{}, fmt.Errorf("chart %s: Helm rendered a %T, not a release of v1", name, out)
	}
	r, err := rendered(name, record)
	if err != nil {
		return Rendered{}, err
	}
	r.Inputs, err = digests(contents, r.All())
	return r, err
}

func rendered(name string, record *v1.Release) (Rendered, error) {
	var r Rendered
	var err error
	if r.Objects, err = parseManifest(record.Manifest); err != nil {
		return Rendered{}, fmt.Errorf("chart %s: its manifest: %w", name, err)
	}
	for _, h := range record.Hooks {
		objects, err := parseManifest(h.Manifest)
		if err != nil {
			return Rendered{}, fmt.Errorf("chart %s: hook %s: %w", name, h.Path, err)
		}
		r.Hooks = append(r.Hooks, objects...)
	}
	return r, nil
}
