package runner

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

// charts are more charts for the tests of Prepare.
var charts = map[string]string{
	"scoped/Chart.yaml":           "apiVersion: v2\nname: scoped\nversion: 0.1.0\n",
	"scoped/templates/role.yaml":  "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: \"{{ .Release.Namespace }}\"}\n",
	"defines/Chart.yaml":          "apiVersion: v2\nname: defines\nversion: 0.1.0\n",
	"defines/crds/crd.yaml":       "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b.c}\n",
	"strays/Chart.yaml":           "apiVersion: v2\nname: strays\nversion: 0.1.0\n",
	"strays/templates/note.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray, namespace: kube-system}\n",
	"strays/templates/hook.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray-hook, namespace: kube-system, annotations: {helm.sh/hook: pre-install}}\n",
	"versioned/Chart.yaml":        "apiVersion: v2\nname: versioned\nversion: 0.1.0\n",
	"versioned/templates/a.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: on-{{ .Capabilities.KubeVersion.Version }}}\n" + "{{ if .Values.scoped }}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n{{ end }}",
	"hooks/Chart.yaml":            "apiVersion: v2\nname: hooks\nversion: 0.1.0\n",
	"hooks/templates/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {helm.sh/hook: pre-install}}\nstringData: {p: {{ .Values.password }}}\n",
}

func TestPrepareDecidesIsolation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ spec, want string }{
		"a namespace will do":         {"  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n", "namespace"},
		"objects outside of it":       {"  release: {name: r, chart: scoped}\n  steps: [{name: v1, install: {}}]\n", "cluster"},
		"a CRD of the crds folder":    {"  release: {name: r, chart: defines}\n  steps: [{name: v1, install: {}}]\n", "cluster"},
		"objects elsewhere":           {"  release: {name: r, chart: strays}\n  steps: [{name: v1, install: {}}]\n", "cluster"},
		"an actor, elsewhere":         {"  release: {name: r, chart: tiny}\n  actors: [{name: a, delete: {object: ConfigMap/kube-system/x}}]\n  steps: [{name: v1, install: {}}, {name: a, act: a}]\n", "cluster"},
		"an actor, outside of any":    {"  release: {name: r, chart: tiny}\n  actors: [{name: a, create: {manifest: {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}}}}]\n  steps: [{name: v1, install: {}}, {name: a, act: a}]\n", "cluster"},
		"an actor, at home":           {"  release: {name: r, chart: tiny}\n  actors: [{name: a, delete: {object: ConfigMap/x}}]\n  steps: [{name: v1, install: {}}, {name: a, act: a}]\n", "namespace"},
		"in a later step":             {"  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}, {name: v2, upgrade: {chart: scoped}}]\n", "cluster"},
		"in finally":                  {"  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n  finally: [{name: v2, upgrade: {chart: scoped}}]\n", "cluster"},
		"stated: share all the same":  {"  cluster: {isolation: namespace}\n  release: {name: r, chart: scoped}\n  steps: [{name: v1, install: {}}]\n", "namespace"},
		"stated: alone all the same":  {"  cluster: {isolation: cluster}\n  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n", "cluster"},
		"a step may fail to render":   {"  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}, {name: v2, upgrade: {values: {broken: true}}, expect: {error: broken}}]\n", "namespace"},
		"only charts are rendered":    {"  release: {name: r, chart: scoped}\n  steps: [{name: back, rollback: 1}]\n", "namespace"},
		"unless a chart it could not": {"  release: {name: r, chart: scoped}\n  steps: [{name: v1, install: {}}, {name: v2, upgrade: {chart: tiny}}]\n", "cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := prepare(t, map[string]string{"s": test.spec}, charts)[0].Needs.Isolation; got != test.want {
				t.Errorf("isolation %s, want %s", got, test.want)
			}
		})
	}
}

// TestPrepareForVersion: charts are rendered for the Kubernetes version of the cluster that they are installed on.
func TestPrepareForVersion(t *testing.T) {
	t.Parallel()
	booted, err := preparer{}.kubeVersionFor(t.Context(), plan.Needs{Provider: "embedded"})
	if err != nil {
		t.Fatal(err)
	}
	const joined = "v1.30.2"
	for name, test := range map[string]struct {
		// attached is the version of the cluster that is joined.
		attached string
		// spec is added to the scenario's, during to its step, and values are the chart's.
		spec, during, values string
		want                 string
	}{
		"a cluster is booted":        {want: booted},
		"a cluster is joined":        {attached: joined, want: joined},
		"its own is stated":          {attached: joined, spec: "  cluster: {isolation: cluster}\n", want: booted},
		"a fault makes it its own":   {attached: joined, spec: "  faults: [{name: f, cordonNode: {node: 1}}]\n", during: ", during: [f]", want: booted},
		"the chart makes it its own": {attached: joined, values: "scoped: true", want: booted},
		"a share of it is stated":    {attached: joined, spec: "  cluster: {isolation: namespace}\n", want: joined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := test.spec + "  release: {name: r, chart: versioned, values: {" + test.values + "}}\n  steps: [{name: v1, install: {}" + test.during + "}]\n"
			plans, err := Prepare(t.Context(), compile(t, map[string]string{"s": spec}, charts), Surroundings{CacheDir: t.TempDir(), Attached: test.attached})
			if err != nil {
				t.Fatal(err)
			}
			if got := plans[0].Renders[0]; got != "ConfigMap/on-"+test.want {
				t.Errorf("rendered %v, want it for %s", plans[0].Renders, test.want)
			}
		})
	}
}

// TestPrepareTellsAllMistakes: every step of every scenario that does not render is told, with its place, once.
func TestPrepareTellsAllMistakes(t *testing.T) {
	t.Parallel()
	plans := compile(t, map[string]string{
		"a": `  release: {name: r, chart: tiny, values: {broken: true}}
  matrix: {wait: [watcher, legacy]}
  steps:
  - {name: v1, install: {}}
  - {name: v2, upgrade: {values: {broken: null}}}
  - {name: v3, upgrade: {}, expect: {status: failed}}
  - {name: v4, upgrade: {}, expect: {error: broken}}
  - {name: v6, upgrade: {}, expect: {any: true}}
  finally:
  - {name: v5, upgrade: {}}
`,
		"b": "  release: {name: r, chart: tiny}\n  steps:\n  - {name: v1, install: {values: {broken: 1}}}\n",
	}, nil)
	_, err := Prepare(t.Context(), plans, Surroundings{CacheDir: t.TempDir()})
	var mistakes scenario.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("Prepare returned %v", err)
	}
	var got []string
	for _, m := range mistakes {
		if !strings.Contains(m.Message, "it is broken") {
			t.Errorf("the chart's own words are missing: %s", m)
		}
		m.File, m.Message = filepath.Base(m.File), ""
		got = append(got, m.String())
	}
	want := []string{"a.yaml:9:1: spec.steps[0]: ", "a.yaml:11:1: spec.steps[2]: ", "a.yaml:15:1: spec.finally[0]: ", "b.yaml:8:1: spec.steps[0]: "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestPrepareStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	plans := compile(t, map[string]string{"s": "  release: {name: r, chart: tiny}\n  steps: [{name: v1, install: {}}]\n"}, nil)
	cancel()
	if _, err := Prepare(ctx, plans, Surroundings{CacheDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare returned %v", err)
	}
}

// TestPrepareFindsSecrets: those of every step, of hooks too.
func TestPrepareFindsSecrets(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{"s": `  release: {name: r, chart: hooks, values: {password: first}}
  steps:
  - {name: v1, install: {}}
  - {name: v2, upgrade: {values: {password: second}}}
`}, charts)
	var got []any
	for _, secret := range plans[0].Secrets {
		got = append(got, secret["stringData"])
	}
	want := []any{map[string]any{"p": "first"}, map[string]any{"p": "second"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

func TestNamespaceOf(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"a", "clean-rollback", strings.Repeat("a", 40), strings.Repeat("a", 29) + "-" + strings.Repeat("b", 10)} {
		for _, token := range []string{"k3x9ab", "k3x9ac", "plain"} {
			for _, number := range []int{1, 2, 256} {
				p := plan.Plan{Scenario: v1alpha1.Scenario{Metadata: v1alpha1.Metadata{Name: name}}}
				got := namespaceOf(p, token, number)
				if wrong := validation.IsDNS1123Label(got); wrong != nil {
					t.Errorf("%q: %v", got, wrong)
				}
				if first, taken := seen[got]; taken {
					t.Errorf("%q stands for %s of run %s and for %s", got, name, token, first)
				}
				seen[got] = name + " of run " + token
			}
		}
	}
}

// TestFaultNotHere: a fault that a provider is known not to have makes the scenario a skip before any cluster boots.
func TestFaultNotHere(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{
		"evicts": "  release: {name: r, chart: tiny}\n  faults: [{name: f, taintNode: {node: 1, effect: NoExecute}}]\n  steps: [{name: v1, install: {}, during: [f]}]\n",
		"taints": "  release: {name: r, chart: tiny}\n  faults: [{name: f, taintNode: {node: 1}}]\n  steps: [{name: v1, install: {}, during: [f]}]\n",
		"stated": "  cluster: {notOn: {embedded: another reason}}\n  release: {name: r, chart: tiny}\n  faults: [{name: f, taintNode: {node: 1, effect: NoExecute}}]\n  steps: [{name: v1, install: {}, during: [f]}]\n",
	}, nil)
	want := map[string]string{
		"evicts": "fault f (taintNode): not supported by this provider: an embedded cluster runs no taint-eviction-controller",
		"stated": "another reason",
	}
	for _, p := range plans {
		if name := p.Scenario.Metadata.Name; p.NotHere() != want[name] {
			t.Errorf("%s: %q, want %q", name, p.NotHere(), want[name])
		}
	}
	boot := provider(func(context.Context, cluster.Spec) (cluster.Cluster, error) { return nil, errNoCluster })
	out, dir := performIn(t, t.Context(), Config{Providers: Always(boot), Parallel: 1}, plans[:1])
	again, err := Rejudge(dir, Catalog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for how, run := range map[string]verdict.Run{"first": out, "again": again} {
		if v := run.Variants[0]; v.Status != verdict.Skipped || v.Reason != "not on embedded: "+want["evicts"] {
			t.Errorf("judged %s: %s, %q", how, v.Status, v.Reason)
		}
	}
}
