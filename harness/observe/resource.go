package observe

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"

	"rehearse.dev/rehearse/harness/evidence"
)

// resource is one type of object that can be watched.
type resource struct {
	gvr        schema.GroupVersionResource
	kind       string
	namespaced bool
}

var crdResource = resource{
	gvr:  schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	kind: "CustomResourceDefinition",
}

// eventResource holds the Events. They are served by the group events.k8s.io too, which is left out.
var eventResource = schema.GroupResource{Resource: "events"}

// leaseResource holds the Leases: a chart's, and the heartbeats of nodes and of leaders.
var leaseResource = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// restless are the namespaces whose Leases are renewed every few seconds and would add noise alone.
var restless = []string{"kube-node-lease", metav1.NamespaceSystem}

// ignored are resources of which the hub watches another form.
var ignored = map[schema.GroupResource]bool{
	{Group: "events.k8s.io", Resource: "events"}: true,
}

// String is the resource as kubectl names it: deployments.apps.
func (r resource) String() string { return r.gvr.GroupResource().String() }

func (r resource) events() bool { return r.gvr.GroupResource() == eventResource }

// quiet reports whether objects of the resource in a namespace are left out.
func (r resource) quiet(namespace string) bool {
	return r.gvr.GroupResource() == leaseResource && slices.Contains(restless, namespace)
}

// options narrow a list or watch of the whole resource to what is not left out.
func (r resource) options() metav1.ListOptions {
	var terms []fields.Selector
	for _, namespace := range restless {
		if r.quiet(namespace) {
			terms = append(terms, fields.OneTermNotEqualSelector("metadata.namespace", namespace))
		}
	}
	return metav1.ListOptions{FieldSelector: fields.AndSelectors(terms...).String()}
}

func (r resource) ref(u *unstructured.Unstructured) evidence.Ref {
	return evidence.Ref{
		Group: r.gvr.Group, Version: r.gvr.Version, Kind: r.kind,
		Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID()),
	}
}

// discover lists what the API server serves, each resource in its preferred version. Groups whose discovery fails (an
// aggregated API that is down) are noted as unwatched.
func (h *Hub) discover(ctx context.Context) ([]resource, error) {
	lists, err := h.disc.ServerPreferredResourcesWithContext(ctx)
	if failed, ok := discovery.GroupDiscoveryFailedErrorGroups(err); ok {
		for gv, reason := range failed {
			h.unwatched[gv.String()] = reason.Error()
		}
	} else if err != nil {
		return nil, fmt.Errorf("ask for the API's resources: %w", err)
	}
	var found []resource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("ask for the API's resources: %w", err)
		}
		for _, r := range list.APIResources {
			res := resource{gvr: gv.WithResource(r.Name), kind: r.Kind, namespaced: r.Namespaced}
			switch ok, reason := watchable(r.Verbs); {
			case ignored[res.gvr.GroupResource()]:
			case ok:
				found = append(found, res)
			case reason != "":
				h.unwatched[res.String()] = reason
			}
		}
	}
	return found, nil
}

// watchable reports whether objects with these verbs can be watched, or why not if a chart may hold such: that is empty for
// what is only asked, as a TokenReview, or only read.
func watchable(verbs []string) (ok bool, reason string) {
	can := func(verb string) bool { return slices.Contains(verbs, verb) }
	switch {
	case can("list") && can("watch"):
		return true, ""
	case can("create") && can("get"):
		return false, "the API server lets nobody watch it"
	}
	return false, ""
}

// refused reports whether an error means that a resource cannot be watched with these rights, or at all.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err)
}

// custom is what the hub reads of a CRD.
type custom struct {
	uid      types.UID
	resource resource
	served   []string
	// established is set once the API server serves the resource.
	established bool
}

// readCRD picks the version to watch: of those served the most stable and newest, as discovery does.
func readCRD(u *unstructured.Unstructured) custom {
	str := func(fields ...string) string {
		s, _, _ := unstructured.NestedString(u.Object, fields...)
		return s
	}
	c := custom{uid: u.GetUID(), resource: resource{
		kind:       str("spec", "names", "kind"),
		namespaced: str("spec", "scope") == "Namespaced",
	}}
	versions, _, _ := unstructured.NestedSlice(u.Object, "spec", "versions")
	for _, v := range objects(versions) {
		if served, _ := v["served"].(bool); served {
			name, _ := v["name"].(string)
			c.served = append(c.served, name)
		}
	}
	slices.SortFunc(c.served, func(a, b string) int { return version.CompareKubeAwareVersionStrings(b, a) })
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, cond := range objects(conditions) {
		if cond["type"] == "Established" && cond["status"] == "True" {
			c.established = len(c.served) > 0
		}
	}
	c.resource.gvr.Group, c.resource.gvr.Resource = str("spec", "group"), str("spec", "names", "plural")
	if len(c.served) > 0 {
		c.resource.gvr.Version = c.served[0]
	}
	return c
}

// objects keeps the maps of a list.
func objects(list []any) []map[string]any {
	var out []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
