package fault

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// permits reads rules as RBAC does.
func permits(rules []rbacv1.PolicyRule, a access) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, want)
	}
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return has(r.Verbs, a.verb) && has(r.APIGroups, a.group) && has(r.Resources, a.resource) &&
			(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, a.name))
	})
}

func TestRulesWithout(t *testing.T) {
	t.Parallel()
	verbs := metav1.Verbs{"get", "list", "patch", "delete", "create"}
	core := []metav1.APIResource{{Name: "secrets", Verbs: verbs}, {Name: "configmaps", Verbs: verbs}}
	apps := []metav1.APIResource{{Name: "deployments", Verbs: verbs}, {Name: "deployments/scale", Verbs: metav1.Verbs{"get", "patch"}}}
	s, err := servedIn([]*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: core}, {GroupVersion: "apps/v1", APIResources: apps}, {GroupVersion: "apps/v1beta1", APIResources: apps[:1]},
	})
	if err != nil || len(s.all) != 4 {
		t.Fatalf("%+v, %v", s, err)
	}
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	for name, test := range map[string]struct {
		spec   v1alpha1.RevokeAccess
		others map[servedResource][]string
		// lost are the only ones of all combinations that are refused.
		lost func(a access) bool
	}{
		"verb": {
			v1alpha1.RevokeAccess{Verbs: []string{"patch"}},
			nil,
			func(a access) bool { return a.verb == "patch" },
		},
		"group": {
			v1alpha1.RevokeAccess{Groups: []string{"apps"}},
			nil,
			func(a access) bool { return a.group == "apps" },
		},
		"core group": {
			v1alpha1.RevokeAccess{Groups: []string{""}, Verbs: []string{"get", "use"}},
			nil,
			func(a access) bool { return a.group == "" && (a.verb == "get" || a.verb == "use") },
		},
		"resource of any group": {
			v1alpha1.RevokeAccess{Resources: []string{"deployments"}, Verbs: []string{"*"}},
			nil,
			func(a access) bool { return a.resource == "deployments" },
		},
		"verbs of a resource": {
			v1alpha1.RevokeAccess{Groups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "delete"}},
			nil,
			func(a access) bool { return a.resource == "secrets" && (a.verb == "get" || a.verb == "delete") },
		},
		"one name": {
			v1alpha1.RevokeAccess{Resources: []string{"secrets"}, Verbs: []string{"get"}, Names: []string{"x"}},
			map[servedResource][]string{secrets: {"y"}},
			func(a access) bool { return a.resource == "secrets" && a.verb == "get" && a.name != "y" },
		},
		"nothing that is served": {
			v1alpha1.RevokeAccess{Groups: []string{"batch"}, Verbs: []string{"get"}},
			nil,
			func(access) bool { return false },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := s.without(&test.spec, test.others)
			for _, r := range s.all {
				for _, verb := range append([]string{"use"}, verbs...) {
					for _, object := range []string{"", "x", "y"} {
						a := access{verb: verb, group: r.Group, resource: r.Resource, name: object}
						if got := permits(rules, a); got == test.lost(a) {
							t.Errorf("%s %s %q of group %q: permitted %t", verb, r.Resource, object, r.Group, got)
						}
					}
				}
			}
			if !slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.NonResourceURLs, "*") }) {
				t.Error("paths that are no resources are lost too")
			}
		})
	}
}
