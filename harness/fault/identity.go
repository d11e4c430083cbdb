package fault

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// NeedsIdentity reports whether any of these faults is about the identity that Helm acts under, so that it must have one
// of its own.
func NeedsIdentity(faults []v1alpha1.Fault) bool {
	return slices.ContainsFunc(faults, func(f v1alpha1.Fault) bool {
		entry, err := Registry().Lookup(f.Do.Kind)
		return err == nil && entry.Code.Identity
	})
}

// identityOf is the user that Helm acts as in a namespace, and the name of its role and its binding.
func identityOf(namespace string) string { return "rehearse:helm:" + namespace }

// everything is what an administrator may do.
func everything() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}},
	}
}

// Grant makes the identity that Helm acts under in a namespace: a user who may do everything, until a fault takes
// something away. It returns the user to impersonate once the API server heeds that. Its role and binding belong to the
// namespace, so that they go with it, also after a kill.
func Grant(ctx context.Context, client kubernetes.Interface, namespace string) (user string, err error) {
	owner, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("granting Helm access to namespace %s: %w", namespace, err)
	}
	user = identityOf(namespace)
	meta := metav1.ObjectMeta{Name: user, OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "Namespace", Name: owner.Name, UID: owner.UID},
	}}
	role := &rbacv1.ClusterRole{ObjectMeta: meta, Rules: everything()}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
	}
	// There may be those of a namespace of this name that is gone, until they are gone too.
	roles, bindings := client.RbacV1().ClusterRoles(), client.RbacV1().ClusterRoleBindings()
	err = put(func() (err error) {
		_, err = roles.Create(ctx, role, metav1.CreateOptions{FieldManager: userAgent})
		return err
	}, func() (err error) {
		_, err = roles.Update(ctx, role, metav1.UpdateOptions{FieldManager: userAgent})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("making the role that Helm acts under: %w", err)
	}
	err = put(func() (err error) {
		_, err = bindings.Create(ctx, binding, metav1.CreateOptions{FieldManager: userAgent})
		return err
	}, func() (err error) {
		_, err = bindings.Update(ctx, binding, metav1.UpdateOptions{FieldManager: userAgent})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("binding the role that Helm acts under: %w", err)
	}
	return user, awaitAccess(ctx, client, access{user: user, namespace: namespace, verb: "create", resource: "secrets"}, true)
}

// put creates what may be there already, or be removed by the garbage collector at this very moment.
func put(create, update func() error) error {
	err := create()
	if apierrors.IsAlreadyExists(err) {
		err = update()
	}
	if apierrors.IsNotFound(err) {
		err = create()
	}
	return err
}

// setRules gives Helm's role other rules.
func setRules(ctx context.Context, s Site, name string, rules []rbacv1.PolicyRule) error {
	roles := s.Client.RbacV1().ClusterRoles()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		role, err := roles.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		role.Rules = rules
		_, err = roles.Update(ctx, role, metav1.UpdateOptions{FieldManager: userAgent})
		return err
	})
	if err != nil {
		return fmt.Errorf("changing what %s may do: %w", name, err)
	}
	return nil
}

// access is one thing that a user may or may not do.
type access struct{ user, namespace, verb, group, resource, subresource, name string }

// awaitAccess waits until the API server allows a user something, or does not. There is nothing to watch: its authorizer
// keeps its own copies of roles.
func awaitAccess(ctx context.Context, client kubernetes.Interface, a access, want bool) error {
	err := wait.PollUntilContextCancel(ctx, probeEvery, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: a.user, Groups: []string{"system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: a.namespace, Verb: a.verb, Group: a.group, Resource: a.resource, Subresource: a.subresource, Name: a.name,
			},
		}}
		seen, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && seen.Status.Allowed == want, err
	})
	if err != nil {
		return fmt.Errorf("waiting until %s may %s %s in namespace %s (wanted: %t): %w", a.user, a.verb, a.resource, a.namespace, want, err)
	}
	return nil
}
