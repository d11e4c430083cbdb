package release

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

const kubeVersion = "v1.36.3"

func names(refs []evidence.Ref) []string {
	out := []string{}
	for _, r := range refs {
		out = append(out, r.String())
	}
	return out
}

func allNames(objects []map[string]any) []string {
	out := []string{}
	for _, o := range objects {
		out = append(out, refOf(o).String())
	}
	return out
}

func TestRender(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"app/Chart.yaml":          "apiVersion: v2\nname: app\nversion: 1.0.0\nkubeVersion: '>=1.30.0-0'\n",
		"app/crds/gizmos.yaml":    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gizmos.example.com}\nspec: {group: example.com, scope: Cluster, names: {kind: Gizmo}}\n",
		"app/templates/cm.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}, namespace: {{ .Release.Namespace }}}\ndata: {kube: {{ .Capabilities.KubeVersion.Version | quote }}}\n---\n# only a comment\n",
		"app/templates/list.yaml": "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: kube-system}}\n",
		"app/templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\nspec: {backoffLimit: 0}\n",
		"app/templates/cr.yaml":   "apiVersion: example.com/v1\nkind: Gizmo\nmetadata: {name: gizmo}\n",
		"app/values.yaml":         "name: default\n",
		"bad/Chart.yaml":          "apiVersion: v2\nname: bad\nversion: 1.0.0\n",
		"bad/templates/x.yaml":    "{{ fail \"no way\" }}",
		"new/Chart.yaml":          "apiVersion: v2\nname: new\nversion: 1.0.0\nkubeVersion: '>=1.99.0-0'\n",
	})
	charts := Charts{BaseDir: dir, CacheDir: t.TempDir()}
	got, err := charts.Render(t.Context(), v1alpha1.Release{Name: "app", Chart: "app"},
		v1alpha1.ChartSource{Values: map[string]any{"name": "mine"}}, kubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"CustomResourceDefinition/gizmos.example.com", "ConfigMap/mine", "ConfigMap/one", "ConfigMap/two", "Gizmo/gizmo"}
	objects := allNames(got.Objects)
	slices.Sort(objects)
	slices.Sort(want)
	if diff := cmp.Diff(want, objects); diff != "" {
		t.Errorf("objects differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Job/hook"}, allNames(got.Hooks)); diff != "" {
		t.Errorf("hooks differ (-want +got):\n%s", diff)
	}
	if limit := got.Hooks[0]["spec"].(map[string]any)["backoffLimit"]; limit != int64(0) {
		t.Errorf("an integer was read as %T", limit)
	}
	for _, o := range got.Objects {
		if refOf(o).Name == "mine" && o["data"].(map[string]any)["kube"] != kubeVersion {
			t.Errorf("the chart saw Kubernetes %v, want %s", o["data"], kubeVersion)
		}
	}
	if diff := cmp.Diff([]string{"CustomResourceDefinition/gizmos.example.com", "Gizmo/gizmo"}, names(ClusterScoped(got.All()))); diff != "" {
		t.Errorf("cluster-scoped objects differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ConfigMap/two"}, names(got.OtherNamespaces())); diff != "" {
		t.Errorf("objects of other namespaces differ (-want +got):\n%s", diff)
	}

	for chart, want := range map[string]string{"bad": "no way", "new": "kubeVersion: >=1.99.0-0"} {
		_, err := charts.Render(t.Context(), v1alpha1.Release{Name: "app", Chart: chart}, v1alpha1.ChartSource{}, kubeVersion)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "chart "+chart) {
			t.Errorf("chart %s: got error %v, want one with %q", chart, err, want)
		}
	}
	if _, err := charts.Render(t.Context(), v1alpha1.Release{Name: "app", Chart: "app"}, v1alpha1.ChartSource{}, "newest"); err == nil {
		t.Error("a Kubernetes version that is none: no error")
	}
}

func TestClusterScoped(t *testing.T) {
	t.Parallel()
	object := func(apiVersion, kind string) map[string]any {
		return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "x"}}
	}
	defines := func(kind, scope string) map[string]any {
		o := object("apiextensions.k8s.io/v1", "CustomResourceDefinition")
		o["spec"] = map[string]any{"group": "example.com", "scope": scope, "names": map[string]any{"kind": kind}}
		return o
	}
	for name, test := range map[string]struct {
		objects []map[string]any
		want    []string
	}{
		"kinds that the chart defines": {
			objects: []map[string]any{object("example.com/v1", "Gizmo"), object("example.com/v1", "Widget"), defines("Gizmo", "Cluster"), defines("Widget", "Namespaced")},
			want:    []string{"Gizmo/x", "CustomResourceDefinition/x", "CustomResourceDefinition/x"},
		},
		"namespaced kinds":             {objects: []map[string]any{object("v1", "ConfigMap"), object("apps/v1", "Deployment"), object("rbac.authorization.k8s.io/v1", "Role")}, want: []string{}},
		"cluster-scoped kinds":         {objects: []map[string]any{object("v1", "Namespace"), object("rbac.authorization.k8s.io/v1", "ClusterRole"), object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")}, want: []string{"Namespace/x", "ClusterRole/x", "ValidatingWebhookConfiguration/x"}},
		"the same name, another group": {objects: []map[string]any{object("example.com/v1", "Namespace")}, want: []string{}},
		"an object without anything":   {objects: []map[string]any{{}}, want: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, names(ClusterScoped(test.objects))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseManifest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		manifest string
		want     []string
		err      string
	}{
		"nothing":                      {want: []string{}},
		"in its order":                 {manifest: "---\n# Source: b\nkind: B\nmetadata: {name: b}\n---\nkind: A\nmetadata: {name: a}", want: []string{"B/b", "A/a"}},
		"the rest of a broken one":     {manifest: "kind: A\nmetadata: {name: a}\n---\nkind: [\n---\nkind: B\nmetadata: {name: b}\n", want: []string{"A/a", "B/b"}, err: "document 2"},
		"a document that is no object": {manifest: "- 1\n", want: []string{}, err: "no mapping"},
		"an object without a kind":     {manifest: "metadata: {name: a}\n", want: []string{}, err: "no kind"},
		"a list with a broken item":    {manifest: "kind: List\nitems: [{kind: A, metadata: {name: a}}, 3]\n", want: []string{"A/a"}, err: "items[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := parseManifest(test.manifest)
			if diff := cmp.Diff(test.want, allNames(objects)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got error %v, want %q", err, test.err)
			}
		})
	}
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	if err := recovered(func() error { panic("boom") }); !errors.Is(err, ErrPanic) {
		t.Errorf("got error %v, want ErrPanic", err)
	}
}
