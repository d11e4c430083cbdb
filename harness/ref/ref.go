// Package ref reads the references to objects that scenarios write: Kind[.group]/[namespace/]name, for example
// Deployment/backend, Certificate.cert-manager.io/web or ConfigMap/kube-system/extra. It imports nothing of ours.
package ref

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ErrSyntax says that a text is no reference. Every error of Parse wraps it.
var ErrSyntax = errors.New("not a reference of the form Kind[.group]/[namespace/]name")

// Ref names one object as a scenario does.
type Ref struct {
	// Kind is the object's kind, written as the API writes it.
	Kind string
	// Group is the API group; empty fits any.
	Group string
	// Namespace is empty for a cluster-scoped object, or for one in the scenario's namespace.
	Namespace string
	// Name is the object's name.
	Name string
}

// Parse reads a reference.
func Parse(s string) (Ref, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 {
		return Ref{}, syntax(s, "it has %d parts separated by /, not 2 or 3", len(parts))
	}
	kind, group, dotted := strings.Cut(parts[0], ".")
	r := Ref{Kind: kind, Group: group, Name: parts[len(parts)-1]}
	if len(parts) == 3 {
		r.Namespace = parts[1]
		if problems := validation.IsDNS1123Label(r.Namespace); len(problems) > 0 {
			return Ref{}, syntax(s, "namespace %q: %s", r.Namespace, problems[0])
		}
	}
	if !kindLike(kind) {
		return Ref{}, syntax(s, "kind %q must be letters and digits and begin with a capital", kind)
	}
	if problems := validation.IsDNS1123Subdomain(group); dotted && len(problems) > 0 {
		return Ref{}, syntax(s, "group %q: %s", group, problems[0])
	}
	if r.Name == "" {
		return Ref{}, syntax(s, "the name is missing")
	}
	// Names of RBAC objects may hold capitals and colons, so only what no API object may be called is refused.
	if problems := content.IsPathSegmentName(r.Name); len(problems) > 0 {
		return Ref{}, syntax(s, "name %q: %s", r.Name, problems[0])
	}
	return r, nil
}

func syntax(s, format string, args ...any) error {
	return fmt.Errorf("%q: %w: %s", s, ErrSyntax, fmt.Sprintf(format, args...))
}

func kindLike(kind string) bool {
	for i, c := range kind {
		upper, lower, digit := c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9'
		if i == 0 && !upper || !upper && !lower && !digit {
			return false
		}
	}
	return kind != ""
}

// OfPod names the workload that a pod belongs to, as Kind/name: its controller or, of a ReplicaSet's pod, the Deployment
// that the ReplicaSet is named after, together with the hash that its pods bear as a label. A pod of nobody is its own.
func OfPod(pod metav1.Object) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "Pod/" + pod.GetName()
	}
	hash := pod.GetLabels()["pod-template-hash"]
	deployment, ok := strings.CutSuffix(owner.Name, "-"+hash)
	if owner.Kind == "ReplicaSet" && ok && hash != "" {
		return "Deployment/" + deployment
	}
	return owner.Kind + "/" + owner.Name
}

// Workload is a reference to a workload as OfPod tells of it, which knows neither group nor namespace: Kind/name. A text that
// is no reference stays as it is, and so is no pod's.
func Workload(s string) string {
	r, err := Parse(s)
	if err != nil {
		return s
	}
	return r.Kind + "/" + r.Name
}

// String is the reference as Parse reads it.
func (r Ref) String() string {
	s := r.Kind
	if r.Group != "" {
		s += "." + r.Group
	}
	s += "/"
	if r.Namespace != "" {
		s += r.Namespace + "/"
	}
	return s + r.Name
}

// In returns the reference with the namespace filled in, unless it states one.
func (r Ref) In(namespace string) Ref {
	if r.Namespace == "" {
		r.Namespace = namespace
	}
	return r
}

// FitsKind reports whether the reference can mean an object of this group and kind.
func (r Ref) FitsKind(group, kind string) bool {
	return r.Kind == kind && (r.Group == "" || r.Group == group)
}

// Fits reports whether the reference means this object. A reference without a namespace means one in home (the
// scenario's namespace) or a cluster-scoped one; one with a namespace means no cluster-scoped object.
func (r Ref) Fits(home, group, kind, namespace, name string) bool {
	if !r.FitsKind(group, kind) || r.Name != name {
		return false
	}
	if r.Namespace == "" {
		return namespace == home || namespace == ""
	}
	return r.Namespace == namespace
}
