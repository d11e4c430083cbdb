package release

import (
	"maps"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// TestInputs: a digest changes with whatever a chart or a value file holds, but for the values of Secrets.
func TestInputs(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"app/Chart.yaml":            "apiVersion: v2\nname: app\nversion: 1.0.0\n",
		"app/values.yaml":           "password: correct-horse\nsize: 1\n",
		"app/templates/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: {{ .Values.password }}}\n",
		"app/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"app/charts/sub/notes.txt":  "one\n",
		"more.yaml":                 "tag: v1\nagain: correct-horse\n",
	}
	inputs := func(change [3]string) map[string]string {
		all := maps.Clone(files)
		for name, text := range all {
			if change[0] == "" || change[0] == name {
				all[name] = strings.ReplaceAll(text, change[1], change[2])
			}
		}
		c := Charts{BaseDir: write(t, all), CacheDir: t.TempDir()}
		r, err := c.Render(t.Context(), v1alpha1.Release{Name: "app", Chart: "app", ValueFiles: []string{"more.yaml"}}, v1alpha1.ChartSource{}, kubeVersion)
		if err != nil {
			t.Fatal(err)
		}
		return r.Inputs
	}
	const chart, values = "chart app", "value file more.yaml"
	first := inputs([3]string{"none"})
	if len(first) != 2 || first[chart] == "" || first[values] == "" || first[chart] == first[values] {
		t.Fatalf("inputs are %v", first)
	}
	for name, test := range map[string]struct {
		change        [3]string // file, or all of them; text; another text
		chart, values bool      // whether its digest changes
	}{
		"nothing":              {[3]string{"none"}, false, false},
		"a secret value":       {[3]string{"", "correct-horse", "battery-staple"}, false, false},
		"a value":              {[3]string{"app/values.yaml", "size: 1", "size: 2"}, true, false},
		"a template":           {[3]string{"app/templates/secret.yaml", "name: s}", "name: t}"}, true, false},
		"a file of a subchart": {[3]string{"app/charts/sub/notes.txt", "one", "two"}, true, false},
		"the version":          {[3]string{"app/Chart.yaml", "1.0.0", "1.0.1"}, true, false},
		"a value file":         {[3]string{"more.yaml", "v1", "v2"}, false, true},
	} {
		got := inputs(test.change)
		if changed := got[chart] != first[chart]; changed != test.chart {
			t.Errorf("%s: the chart's digest changed: %t, want %t", name, changed, test.chart)
		}
		if changed := got[values] != first[values]; changed != test.values {
			t.Errorf("%s: the value file's digest changed: %t, want %t", name, changed, test.values)
		}
	}
}
