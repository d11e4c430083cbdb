package release

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rehearse.dev/rehearse/harness/evidence"
)

// clusterKinds are the kinds of Kubernetes that live outside of namespaces.
var clusterKinds = map[string][]string{
	"":                             {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"internal.apiserver.k8s.io":    {"StorageVersion"},
	"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"StorageVersionMigration"},
}

// ClusterKind reports whether a kind of Kubernetes lives outside of namespaces. An empty group fits any.
func ClusterKind(group, kind string) bool {
	for known, kinds := range clusterKinds {
		if (group == "" || group == known) && slices.Contains(kinds, kind) {
			return true
		}
	}
	return false
}

// ClusterScoped returns the objects that live outside of namespaces: those of Kubernetes' own kinds, and custom
// resources whose definition is among the objects and says so. A custom resource without its definition counts as
// namespaced, since nothing tells otherwise.
func ClusterScoped(objects []map[string]any) []evidence.Ref {
	known := map[schema.GroupKind]bool{}
	for group, kinds := range clusterKinds {
		for _, kind := range kinds {
			known[schema.GroupKind{Group: group, Kind: kind}] = true
		}
	}
	for _, o := range objects {
		if gk, ok := definesClusterKind(o); ok {
			known[gk] = true
		}
	}
	var refs []evidence.Ref
	for _, o := range objects {
		if u := (&unstructured.Unstructured{Object: o}); known[u.GroupVersionKind().GroupKind()] {
			refs = append(refs, refOf(o))
		}
	}
	return refs
}

// definesClusterKind returns the kind that o defines if o is the definition of a cluster-scoped one.
func definesClusterKind(o map[string]any) (schema.GroupKind, bool) {
	u := &unstructured.Unstructured{Object: o}
	if u.GroupVersionKind().GroupKind() != (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
		return schema.GroupKind{}, false
	}
	scope, _, _ := unstructured.NestedString(o, "spec", "scope")
	group, _, _ := unstructured.NestedString(o, "spec", "group")
	kind, _, _ := unstructured.NestedString(o, "spec", "names", "kind")
	return schema.GroupKind{Group: group, Kind: kind}, scope == "Cluster"
}

func refOf(o map[string]any) evidence.Ref {
	u := &unstructured.Unstructured{Object: o}
	gvk := u.GroupVersionKind()
	return evidence.Ref{
		Group:     gvk.Group,
		Version:   gvk.Version,
		Kind:      gvk.Kind,
		Namespace: u.GetNamespace(),
		Name:      u.GetName(),
	}
}
