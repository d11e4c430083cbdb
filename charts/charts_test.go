package charts_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/object/dependson"

	"rehearse.dev/rehearse/charts"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/release"
)

func extract(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "charts")
	if err := charts.Extract(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestExtract(t *testing.T) {
	t.Parallel()
	dir := extract(t)
	for _, chart := range []string{"gadgets", "scoped", "shop"} {
		want := os.DirFS(chart)
		err := fs.WalkDir(want, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			a, err := fs.ReadFile(want, path)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(filepath.Join(dir, chart, path))
			if err == nil && string(a) != string(b) {
				t.Errorf("%s/%s differs from the embedded file", chart, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := charts.Extract(dir); err == nil {
		t.Error("a second Extract overwrote the first: no error")
	}
}

// render returns the objects and hooks of a chart by Kind/name.
func render(t *testing.T, chart string, values map[string]any) (map[string]map[string]any, error) {
	t.Helper()
	found := release.Charts{BaseDir: extract(t), CacheDir: t.TempDir()}
	got, err := found.Render(t.Context(), v1alpha1.Release{Name: "shop", Chart: chart}, v1alpha1.ChartSource{Values: values}, "v1.36.3")
	objects := map[string]map[string]any{}
	for _, o := range got.All() {
		u := unstructured.Unstructured{Object: o}
		objects[u.GetKind()+"/"+u.GetName()] = o
	}
	return objects, err
}

var shopObjects = []string{
	"ConfigMap/shop-config", "Deployment/backend", "Deployment/frontend", "Job/migrate", "Job/shop-test", "Secret/db-credentials",
	"Service/backend", "Service/db", "Service/frontend", "StatefulSet/db",
}

func TestShopObjects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values      map[string]any
		more, fewer []string
	}{
		"defaults":     {},
		"extras":       {values: map[string]any{"extras": map[string]any{"cache": map[string]any{"size": 10}}}, more: []string{"ConfigMap/cache"}},
		"no migration": {values: map[string]any{"migration": map[string]any{"enabled": false}}, fewer: []string{"Job/migrate"}},
		"no tests":     {values: map[string]any{"tests": map[string]any{"enabled": false}}, fewer: []string{"Job/shop-test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := render(t, "shop", test.values)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(slices.Concat(shopObjects, test.more), func(s string) bool { return slices.Contains(test.fewer, s) })
			slices.Sort(want)
			got := []string{}
			for name := range objects {
				got = append(got, name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestShopTestArgs: what the hook of helm test runs asks the Service by its name, unless it is told otherwise.
func TestShopTestArgs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values map[string]any
		want   []string
	}{
		"the default": {want: []string{"check", "http://frontend:8080/readyz"}},
		"given":       {values: map[string]any{"tests": map[string]any{"args": []any{"migrate"}}}, want: []string{"migrate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := render(t, "shop", test.values)
			if err != nil {
				t.Fatal(err)
			}
			containers, _, err := unstructured.NestedSlice(objects["Job/shop-test"], "spec", "template", "spec", "containers")
			if err != nil || len(containers) != 1 {
				t.Fatalf("containers %v, %v", containers, err)
			}
			container, _ := containers[0].(map[string]any)
			got, _, err := unstructured.NestedStringSlice(container, "args")
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestShopValues checks what each value does to one field.
func TestShopValues(t *testing.T) {
	t.Parallel()
	part := func(name string, values map[string]any) map[string]any { return map[string]any{name: values} }
	for name, test := range map[string]struct {
		values map[string]any
		object string
		path   []string
		want   any // nil: the field is absent
	}{
		"tag":                       {values: map[string]any{"tag": "v2"}, object: "ConfigMap/shop-config", path: []string{"data", "tag"}, want: "v2"},
		"tag as a label":            {values: map[string]any{"tag": "v2"}, object: "Deployment/backend", path: []string{"metadata", "labels", "app.kubernetes.io/version"}, want: "v2"},
		"config":                    {values: part("config", map[string]any{"greeting": "bye"}), object: "ConfigMap/shop-config", path: []string{"data", "greeting"}, want: "bye"},
		"credentials":               {values: part("credentials", map[string]any{"password": "x"}), object: "Secret/db-credentials", path: []string{"data", "password"}, want: "eA=="},
		"db.replicas":               {values: part("db", map[string]any{"replicas": 3}), object: "StatefulSet/db", path: []string{"spec", "replicas"}, want: int64(3)},
		"db.updateStrategy":         {values: part("db", map[string]any{"updateStrategy": "OnDelete"}), object: "StatefulSet/db", path: []string{"spec", "updateStrategy", "type"}, want: "OnDelete"},
		"db.podManagementPolicy":    {values: part("db", map[string]any{"podManagementPolicy": "Parallel"}), object: "StatefulSet/db", path: []string{"spec", "podManagementPolicy"}, want: "Parallel"},
		"backend.replicas":          {values: part("backend", map[string]any{"replicas": 0}), object: "Deployment/backend", path: []string{"spec", "replicas"}, want: int64(0)},
		"backend.replicas, unset":   {values: part("backend", map[string]any{"replicas": nil}), object: "Deployment/backend", path: []string{"spec", "replicas"}},
		"frontend.replicas":         {values: part("frontend", map[string]any{"replicas": 2}), object: "Deployment/frontend", path: []string{"spec", "replicas"}, want: int64(2)},
		"dependsOn":                 {object: "Deployment/backend", path: []string{"metadata", "annotations", "config.kubernetes.io/depends-on"}, want: "apps/namespaces/rehearse/StatefulSet/db"},
		"dependsOn, off":            {values: map[string]any{"dependsOn": false}, object: "Deployment/frontend", path: []string{"metadata", "annotations"}},
		"migration.preRollback":     {values: part("migration", map[string]any{"preRollback": true}), object: "Job/migrate", path: []string{"metadata", "annotations", "helm.sh/hook"}, want: "pre-install,pre-upgrade,pre-rollback"},
		"migration.preRollback, no": {object: "Job/migrate", path: []string{"metadata", "annotations", "helm.sh/hook"}, want: "pre-install,pre-upgrade"},
		"migration.deletePolicy":    {values: part("migration", map[string]any{"deletePolicy": ""}), object: "Job/migrate", path: []string{"metadata", "annotations", "helm.sh/hook-delete-policy"}},
		"tests.args, failing":       {values: part("tests", map[string]any{"args": []any{"fail"}}), object: "Job/shop-test", path: []string{"spec", "template", "metadata", "annotations", "rehearse.dev/simulate"}, want: "fail"},
		"tests.args, passing":       {values: part("tests", map[string]any{"args": []any{"migrate"}}), object: "Job/shop-test", path: []string{"spec", "template", "metadata", "annotations"}},
		"break.hook":                {values: part("break", map[string]any{"hook": true}), object: "Job/migrate", path: []string{"spec", "template", "metadata", "annotations", "rehearse.dev/simulate"}, want: "fail"},
		"break.unknownField":        {values: part("break", map[string]any{"unknownField": true}), object: "Deployment/frontend", path: []string{"spec", "replicaz"}, want: int64(1)},
		"break.selector":            {values: part("break", map[string]any{"selector": true}), object: "Deployment/backend", path: []string{"spec", "selector", "matchLabels", "rehearse.dev/selector"}, want: "changed"},
		"kept":                      {values: part("kept", map[string]any{"precious": map[string]any{"key": "v"}}), object: "ConfigMap/precious", path: []string{"metadata", "annotations", "helm.sh/resource-policy"}, want: "keep"},
		"break.clusterIP":           {values: part("break", map[string]any{"clusterIP": true}), object: "Service/backend", path: []string{"spec", "clusterIP"}, want: "None"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := render(t, "shop", test.values)
			if err != nil {
				t.Fatal(err)
			}
			got, found, err := unstructured.NestedFieldNoCopy(objects[test.object], test.path...)
			if err != nil {
				t.Fatal(err)
			}
			if found != (test.want != nil) || got != test.want {
				t.Errorf("%s of %s is %v, want %v", strings.Join(test.path, "."), test.object, got, test.want)
			}
		})
	}
}

// TestShopContainers checks the values that change containers, which no plain path reaches.
func TestShopContainers(t *testing.T) {
	t.Parallel()
	objects, err := render(t, "shop", map[string]any{
		"image": "example.com/other:1", "imagePullPolicy": "Never",
		"backend": map[string]any{"env": map[string]any{"EXTRA": 1}},
		"break":   map[string]any{"duplicateEnv": true, "invalid": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"StatefulSet/db", "Deployment/backend", "Deployment/frontend", "Job/migrate", "Job/shop-test"} {
		if c := container(t, objects[name]); c["image"] != "example.com/other:1" || c["imagePullPolicy"] != "Never" {
			t.Errorf("%s has image %v, pulled %v", name, c["image"], c["imagePullPolicy"])
		}
	}
	env := []string{}
	for _, e := range container(t, objects["Deployment/backend"])["env"].([]any) {
		entry := e.(map[string]any)
		env = append(env, entry["name"].(string)+"="+entry["value"].(string))
	}
	if diff := cmp.Diff([]string{"WORKLOAD_PART=backend", "WORKLOAD_TAG=v1", "EXTRA=1", "WORKLOAD_TAG=twice"}, env); diff != "" {
		t.Errorf("the backend's environment differs (-want +got):\n%s", diff)
	}
	ports := container(t, objects["Deployment/frontend"])["ports"].([]any)
	if port := ports[0].(map[string]any)["containerPort"]; port != int64(99999) {
		t.Errorf("the frontend's port is %v, want one out of range", port)
	}
}

func container(t *testing.T, object map[string]any) map[string]any {
	t.Helper()
	list, _, err := unstructured.NestedSlice(object, "spec", "template", "spec", "containers")
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d containers (%v), want one", len(list), err)
	}
	return list[0].(map[string]any)
}

func TestShopRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values map[string]any
		want   string
	}{
		"break.render":     {map[string]any{"break": map[string]any{"render": true}}, "this chart does not render"},
		"an unknown value": {map[string]any{"tagg": "v2"}, "tagg"},
		"a wrong type":     {map[string]any{"tag": 2}, "/tag"},
		"a wrong policy":   {map[string]any{"migration": map[string]any{"deletePolicy": "never"}}, "deletePolicy"},
		"no such toggle":   {map[string]any{"break": map[string]any{"everything": true}}, "everything"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := render(t, "shop", test.values); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestShopDependsOn checks that the annotations are what cli-utils, the annotation's owner, reads.
func TestShopDependsOn(t *testing.T) {
	t.Parallel()
	objects, err := render(t, "shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	for object, want := range map[string]string{"Deployment/backend": "StatefulSet/db", "Deployment/frontend": "Deployment/backend"} {
		set, err := dependson.ReadAnnotation(&unstructured.Unstructured{Object: objects[object]})
		if err != nil || len(set) != 1 {
			t.Fatalf("%s: got %v and error %v, want one dependency", object, set, err)
		}
		if got := set[0].GroupKind.Kind + "/" + set[0].Name; got != want || set[0].Namespace != "rehearse" {
			t.Errorf("%s depends on %s in %s, want %s", object, got, set[0].Namespace, want)
		}
	}
}

func TestScoped(t *testing.T) {
	t.Parallel()
	objects, err := render(t, "scoped", map[string]any{"widgets": []any{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"CustomResourceDefinition/widgets.fixtures.rehearse.dev", "ClusterRole/rehearse-shop-widgets", "Widget/a"} {
		if objects[name] == nil {
			t.Errorf("%s is not among the objects", name)
		}
	}
}

// TestShopOversize: what does not fit into a record of 1 MiB even when it is packed.
func TestShopOversize(t *testing.T) {
	t.Parallel()
	objects, err := render(t, "shop", map[string]any{"break": map[string]any{"oversize": true}})
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(zip).Encode(objects), zip.Close()); err != nil {
		t.Fatal(err)
	}
	if packed.Len() < 1<<20 {
		t.Errorf("the objects take %d bytes", packed.Len())
	}
}

func TestScopedWithoutDefinition(t *testing.T) {
	t.Parallel()
	objects, err := render(t, "scoped", map[string]any{"definition": false})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 || objects["ClusterRole/rehearse-shop-widgets"] == nil {
		t.Errorf("got %v, want the ClusterRole alone", objects)
	}
}

func TestGadgets(t *testing.T) {
	t.Parallel()
	objects, err := render(t, "gadgets", map[string]any{"gadgets": map[string]any{"one": 7}})
	if err != nil {
		t.Fatal(err)
	}
	if size, _, err := unstructured.NestedInt64(objects["Gadget/one"], "spec", "size"); err != nil || size != 7 {
		t.Errorf("the gadget's size is %d, %v", size, err)
	}
}
