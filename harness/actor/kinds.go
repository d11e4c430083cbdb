package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"rehearse.dev/rehearse/harness/ref"
)

// ErrKind says that the cluster serves no such kind, or several of that name.
var ErrKind = errors.New("the kind cannot be resolved")

// The API server may list a kind a little after its CRD has been established, so an unknown one is looked for again.
const (
	discoveryLag  = 3 * time.Second
	discoveryPoll = 200 * time.Millisecond
)

// target is the object that a write means, as the scenario names it.
type target struct {
	// group is the object's API group. If it is empty and not exact, any will do.
	group string
	exact bool
	// version is empty for the one that the API server prefers.
	version   string
	kind      string
	namespace string
	name      string
}

// object is a target found in the cluster: where a write goes, and under which name it is made.
type object struct {
	client    dynamic.ResourceInterface
	kind      string
	namespace string
	name      string
	manager   string
}

// onReference makes a write to the object that a reference means.
func onReference(reference string, send func(context.Context, object) (*unstructured.Unstructured, error)) (write, error) {
	r, err := ref.Parse(reference)
	if err != nil {
		return write{}, err
	}
	return write{target: target{group: r.Group, kind: r.Kind, namespace: r.Namespace, name: r.Name}, send: send}, nil
}

// kinds knows what the API server serves. It asks once, and again for a kind that it does not know: a release may
// have brought its CRD since.
type kinds struct {
	client discovery.DiscoveryInterfaceWithContext

	mu     sync.Mutex
	groups []*restmapper.APIGroupResources
	mapper meta.RESTMapperWithContext
}

// resolve finds the resource of a target.
func (k *kinds) resolve(ctx context.Context, t target) (*meta.RESTMapping, error) {
	mapping, err := k.find(ctx, t)
	if meta.IsNoMatchError(err) {
		waited := wait.PollUntilContextTimeout(ctx, discoveryPoll, discoveryLag, true, func(context.Context) (bool, error) {
			k.forget()
			mapping, err = k.find(ctx, t)
			return !meta.IsNoMatchError(err), nil
		})
		if waited != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("looking for kind %s: %w", t.kind, context.Cause(ctx))
		}
	}
	if meta.IsNoMatchError(err) {
		err = fmt.Errorf("%w: %w; if it is a custom resource, its CRD must be established before the actor acts", ErrKind, err)
	}
	return mapping, err
}

// find finds the resource of a target among those that the API server serves.
func (k *kinds) find(ctx context.Context, t target) (*meta.RESTMapping, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mapper == nil {
		if err := k.load(ctx); err != nil {
			return nil, fmt.Errorf("asking the API server for its resources: %w", err)
		}
	}
	gk := schema.GroupKind{Group: t.group, Kind: t.kind}
	if !t.exact && t.group == "" {
		group, err := k.groupOf(t.kind)
		if err != nil {
			return nil, err
		}
		gk.Group = group
	}
	if t.version == "" {
		return k.mapper.RESTMappingWithContext(ctx, gk)
	}
	return k.mapper.RESTMappingWithContext(ctx, gk, t.version)
}

// forget has the next resolve ask the API server again.
func (k *kinds) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.groups, k.mapper = nil, nil
}

// load asks the API server. Groups of aggregated APIs that do not answer are left out.
func (k *kinds) load(ctx context.Context) error {
	groups, err := restmapper.GetAPIGroupResourcesWithContext(ctx, k.client)
	if err != nil {
		return err
	}
	k.groups, k.mapper = groups, restmapper.NewDiscoveryRESTMapperWithContext(groups)
	return nil
}

// groupOf finds the group of a kind that a reference names alone. The core group, which a reference cannot name, goes
// before the others; of these there must be one only.
func (k *kinds) groupOf(kind string) (string, error) {
	var found []string
	for _, group := range k.groups {
		if serves(group, kind) {
			found = append(found, group.Group.Name)
		}
	}
	switch {
	case len(found) == 0:
		return "", &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: kind}}
	case len(found) == 1 || slices.Contains(found, ""):
		return slices.Min(found), nil
	default:
		return "", fmt.Errorf("%w: %s is a kind of several groups (%s); write Kind.group, for example %s.%s",
			ErrKind, kind, strings.Join(found, ", "), kind, found[0])
	}
}

func serves(group *restmapper.APIGroupResources, kind string) bool {
	for _, resources := range group.VersionedResources {
		if slices.ContainsFunc(resources, func(r metav1.APIResource) bool {
			return r.Kind == kind && !strings.Contains(r.Name, "/")
		}) {
			return true
		}
	}
	return false
}

// unserved reports whether an error means that the API server has no such path, as opposed to no such object, whose
// name it would state.
func unserved(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
