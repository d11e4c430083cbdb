package fault

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// servedResource is one that the API server serves, or a subresource, as in deployments/scale.
type servedResource = schema.GroupVersionResource

// served is what the API server serves, and by which verbs.
type served struct {
	verbs []string
	// all are sorted by group and name; each is there at one version.
	all []servedResource
}

// rbacVerbs are verbs that RBAC knows and discovery does not.
var rbacVerbs = []string{"approve", "bind", "escalate", "impersonate", "sign", "use"}

func servedBy(s Site) (served, error) {
	_, lists, err := s.Client.Discovery().ServerGroupsAndResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return served{}, fmt.Errorf("asking what the API server serves: %w", err)
	}
	return servedIn(lists)
}

func servedIn(lists []*metav1.APIResourceList) (served, error) {
	verbs := map[string]bool{}
	for _, v := range rbacVerbs {
		verbs[v] = true
	}
	byName := map[schema.GroupResource]servedResource{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return served{}, fmt.Errorf("reading what the API server serves: %w", err)
		}
		for _, r := range list.APIResources {
			for _, v := range r.Verbs {
				verbs[v] = true
			}
			gvr := gv.WithResource(r.Name)
			if _, known := byName[gvr.GroupResource()]; !known { // the preferred version comes first
				byName[gvr.GroupResource()] = gvr
			}
		}
	}
	all := slices.SortedFunc(maps.Values(byName), func(a, b servedResource) int {
		if a.Group != b.Group {
			return strings.Compare(a.Group, b.Group)
		}
		return strings.Compare(a.Resource, b.Resource)
	})
	return served{verbs: slices.Sorted(maps.Keys(verbs)), all: all}, nil
}

// covers reports whether a list of names means name; an empty one means all.
func covers(list []string, name string) bool {
	return len(list) == 0 || slices.Contains(list, "*") || slices.Contains(list, name)
}

func loses(spec *v1alpha1.RevokeAccess, r servedResource) bool {
	return covers(spec.Groups, r.Group) && covers(spec.Resources, r.Resource)
}

// matching are the resources to which access is lost.
func (v served) matching(spec *v1alpha1.RevokeAccess) []servedResource {
	var found []servedResource
	for _, r := range v.all {
		if loses(spec, r) {
			found = append(found, r)
		}
	}
	return found
}

// without lists rules that grant everything but what is lost, since RBAC cannot deny. others are the objects that are
// still granted by name.
func (v served) without(spec *v1alpha1.RevokeAccess, others map[servedResource][]string) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}}}
	lost := []string{rbacv1.VerbAll}
	if !covers(spec.Verbs, rbacv1.VerbAll) {
		lost = spec.Verbs
		kept := slices.DeleteFunc(slices.Clone(v.verbs), func(verb string) bool { return slices.Contains(lost, verb) })
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: kept})
	}
	byGroup := map[string][]string{}
	for _, r := range v.all {
		if !loses(spec, r) {
			byGroup[r.Group] = append(byGroup[r.Group], r.Resource)
		} else if names := others[r]; len(names) > 0 {
			rules = append(rules, rbacv1.PolicyRule{
				APIGroups: []string{r.Group}, Resources: []string{r.Resource}, Verbs: lost, ResourceNames: names,
			})
		}
	}
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: byGroup[group], Verbs: lost})
	}
	return rules
}
