package fault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func revokeAccessEntry() registry.Entry[Code] {
	own := code(func(s *v1alpha1.RevokeAccess) breaker { return &revocation{spec: s} })
	own.Identity = true
	return registry.Entry[Code]{
		Name:     "revokeAccess",
		Summary:  "Takes access away from Helm, which acts under an identity of its own in a scenario with such a fault.",
		Example:  "name: no-patch\nrevokeAccess: {verbs: [patch], groups: [apps], resources: [deployments]}\n",
		NewSpec:  func() any { return &v1alpha1.RevokeAccess{} },
		Validate: validated(checkRevoke),
		Code:     own,
	}
}

// unnamed are the verbs whose requests name no object.
var unnamed = []string{"create", "list", "watch", "deletecollection"}

func checkRevoke(s *v1alpha1.RevokeAccess) []registry.Problem {
	var all []registry.Problem
	if len(s.Verbs)+len(s.Groups)+len(s.Resources) == 0 {
		all = append(all, registry.Problem{Message: "would leave Helm no access at all; state verbs, groups or resources"})
	}
	if len(s.Names) > 0 && len(s.Resources) == 0 {
		all = append(all, registry.Problem{Path: "names", Message: "names objects of no resource; state resources"})
	}
	for i, verb := range s.Verbs {
		if len(s.Names) > 0 && slices.Contains(unnamed, verb) {
			all = append(all, registry.Problem{Path: fmt.Sprintf("verbs[%d]", i), Message: "its requests name no object, so that names cannot limit them; leave it or names out"})
		}
	}
	return all
}

// The keys in an Undo of what shows whether access is there.
const (
	undoRole        = "role"
	undoVerb        = "verb"
	undoSubresource = "subresource"
)

// revocation is access that Helm has lost. It fires with every request that the API server refuses Helm for it.
type revocation struct {
	spec  *v1alpha1.RevokeAccess
	rules []rbacv1.PolicyRule
	stop  func()
}

func (*revocation) available(context.Context, Site) error { return nil }

// aim expands what Helm may do by all that the API server serves, and leaves out what is to be lost.
func (r *revocation) aim(ctx context.Context, s Site) (Aim, error) {
	name := identityOf(s.Namespace)
	role, err := s.Client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return Aim{}, fmt.Errorf("%w: Helm acts under no identity of its own: there is no ClusterRole %s", ErrNoTarget, name)
	case err != nil:
		return Aim{}, fmt.Errorf("reading what Helm may do: %w", err)
	case !equality.Semantic.DeepEqual(role.Rules, everything()):
		return Aim{}, fmt.Errorf("%w: another fault has taken access away from Helm; recover that first", ErrNoTarget)
	}
	served, err := servedBy(s)
	if err != nil {
		return Aim{}, err
	}
	lost := served.matching(r.spec)
	if len(lost) == 0 {
		return Aim{}, fmt.Errorf("%w: the cluster serves no resource of groups %q and resources %q", ErrNoTarget, r.spec.Groups, r.spec.Resources)
	}
	others, err := r.others(ctx, s, lost)
	if err != nil {
		return Aim{}, err
	}
	r.rules = served.without(r.spec, others)
	target := evidence.Ref{Group: rbacv1.GroupName, Version: "v1", Kind: "ClusterRole", Name: name, UID: string(role.UID)}
	resource, subresource, _ := strings.Cut(lost[0].Resource, "/")
	undo := map[string]string{undoRole: name, undoGroup: lost[0].Group, undoResource: resource, undoSubresource: subresource, undoVerb: "get"}
	if len(r.spec.Verbs) > 0 && r.spec.Verbs[0] != rbacv1.VerbAll {
		undo[undoVerb] = r.spec.Verbs[0]
	}
	if len(r.spec.Names) > 0 {
		undo[undoName] = r.spec.Names[0]
	}
	return Aim{Targets: []evidence.Ref{target}, Undo: undo}, nil
}

// others are the objects, by resource, that Helm may still reach where names limit what it loses.
func (r *revocation) others(ctx context.Context, s Site, lost []servedResource) (map[servedResource][]string, error) {
	if len(r.spec.Names) == 0 {
		return nil, nil
	}
	found := map[servedResource][]string{}
	for _, l := range lost {
		plain, _, _ := strings.Cut(l.Resource, "/")
		list, err := s.Dynamic.Resource(l.GroupVersion().WithResource(plain)).Namespace(s.Namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing the %s that Helm may still reach: %w", plain, err)
		}
		for _, item := range list.Items {
			if !slices.Contains(r.spec.Names, item.GetName()) {
				found[l] = append(found[l], item.GetName())
			}
		}
	}
	return found, nil
}

func (r *revocation) inject(ctx context.Context, s *scene) error {
	user := s.Undo[undoRole]
	r.stop = s.overhear(always, func(a answer) {
		if a.status == http.StatusForbidden && a.says(user, " cannot ") {
			s.firedAt(a.Request, s.Targets[0], a.String())
		}
	})
	return setRules(ctx, s.Site, user, r.rules)
}

func (r *revocation) propagated(ctx context.Context, s *scene) error {
	return awaitAccess(ctx, s.Client, tried(s), false)
}

// tried is the access by which it is seen whether Helm has lost any: a role changes as a whole.
func tried(s *scene) access {
	return access{
		user: s.Undo[undoRole], namespace: s.Namespace, verb: s.Undo[undoVerb],
		group: s.Undo[undoGroup], resource: s.Undo[undoResource], subresource: s.Undo[undoSubresource], name: s.Undo[undoName],
	}
}

func (r *revocation) recover(ctx context.Context, s *scene) error {
	if r.stop != nil {
		r.stop()
	}
	return ignoreNotFound(setRules(ctx, s.Site, s.Undo[undoRole], everything()))
}

func (r *revocation) recovered(ctx context.Context, s *scene) error {
	return awaitAccess(ctx, s.Client, tried(s), true)
}
