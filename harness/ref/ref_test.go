package ref_test

import (
	"errors"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/ref"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]ref.Ref{
		"Deployment/backend":                {Kind: "Deployment", Name: "backend"},
		"Deployment.apps/backend":           {Kind: "Deployment", Group: "apps", Name: "backend"},
		"Certificate.cert-manager.io/a/web": {Kind: "Certificate", Group: "cert-manager.io", Namespace: "a", Name: "web"},
		"ConfigMap/kube-system/extra":       {Kind: "ConfigMap", Namespace: "kube-system", Name: "extra"},
		"ClusterRole/system:Node.reader":    {Kind: "ClusterRole", Name: "system:Node.reader"},
	} {
		got, err := ref.Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if err == nil && got.String() != in {
			t.Errorf("Parse(%q).String() = %q", in, got.String())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, hint := range map[string]string{
		"":                   "1 parts",
		"Deployment":         "1 parts",
		"a/b/c/d":            "4 parts",
		"deployment/backend": "capital",
		"/backend":           "kind",
		"Depl oyment/x":      "kind",
		"Deployment/":        "name",
		"Deployment/..":      "name",
		"Deployment/a%b":     "name",
		"Deployment./x":      "group",
		"Deployment.Apps/x":  "group",
		"Pod/Name_Space/x":   "namespace",
		"Pod//x":             "namespace",
	} {
		_, err := ref.Parse(in)
		if !errors.Is(err, ref.ErrSyntax) || !strings.Contains(err.Error(), hint) {
			t.Errorf("Parse(%q): error %v; want ErrSyntax with %q", in, err, hint)
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	type object struct{ group, kind, namespace, name string }
	for _, tc := range []struct {
		ref    string
		object object
		want   bool
	}{
		{"Deployment/x", object{"apps", "Deployment", "home", "x"}, true},
		{"Deployment/x", object{"apps", "Deployment", "other", "x"}, false},
		{"Deployment/x", object{"apps", "StatefulSet", "home", "x"}, false},
		{"Deployment/x", object{"apps", "Deployment", "home", "y"}, false},
		{"Deployment/other/x", object{"apps", "Deployment", "other", "x"}, true},
		{"Deployment/other/x", object{"apps", "Deployment", "home", "x"}, false},
		{"Deployment.apps/x", object{"apps", "Deployment", "home", "x"}, true},
		{"Deployment.batch/x", object{"apps", "Deployment", "home", "x"}, false},
		{"ClusterRole/x", object{"rbac.authorization.k8s.io", "ClusterRole", "", "x"}, true},
		{"ClusterRole/other/x", object{"rbac.authorization.k8s.io", "ClusterRole", "", "x"}, false},
	} {
		r, err := ref.Parse(tc.ref)
		if err != nil {
			t.Fatal(err)
		}
		o := tc.object
		if got := r.Fits("home", o.group, o.kind, o.namespace, o.name); got != tc.want {
			t.Errorf("%s fits %+v: %v, want %v", tc.ref, o, got, tc.want)
		}
	}
}

func TestWorkload(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Deployment/web":           "Deployment/web",
		"Deployment.apps/home/web": "Deployment/web",
		"Pod/web-0":                "Pod/web-0",
		"web":                      "web",
	} {
		if got := ref.Workload(text); got != want {
			t.Errorf("%s is workload %s, want %s", text, got, want)
		}
	}
}
