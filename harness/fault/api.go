package fault

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

// What breaks, as v1alpha1.API has it.
const (
	breakReset       = "reset"
	breakTLS         = "tls"
	breakHang        = "hang"
	breakLose        = "lose"
	breakCut         = "cut"
	breakStall       = "stall"
	breakTruncate    = "truncate"
	breakDropWatch   = "dropWatch"
	breakResetWatch  = "resetWatch"
	breakStallWatch  = "stallWatch"
	breakExpireWatch = "expireWatch"
)

func apiEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "api",
		Summary:  "Disturbs requests of Helm on their way to the API server and back.",
		Example:  "name: api-busy\napi: {match: {verb: patch, resource: deployments, nth: 2}, respond: {status: 429, retryAfter: 1s}}\n",
		NewSpec:  func() any { return &v1alpha1.API{} },
		Validate: validated(checkAPI),
		Code:     code(func(s *v1alpha1.API) breaker { return &disturbance{spec: s} }),
	}
}

func checkAPI(s *v1alpha1.API) []registry.Problem {
	all := checkMatch("match", s.Match)
	report := func(path, format string, args ...any) {
		all = append(all, registry.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if s.Respond == nil && s.Break == "" && s.Latency == nil {
		report("", "does nothing; state latency, respond or break")
	}
	if s.Respond != nil && s.Break != "" {
		report("break", "contradicts respond; keep one of them")
	}
	if s.Respond != nil {
		if http.StatusText(s.Respond.Status) == "" {
			report("respond.status", "is no status of HTTP")
		}
		if after := s.Respond.RetryAfter; after != nil && after.Duration%time.Second != 0 {
			report("respond.retryAfter", "is not in whole seconds")
		}
	}
	if want := verbFor(s.Break); want != "" && s.Match.Verb != "" && s.Match.Verb != want {
		report("match.verb", "no %s can suffer a %s; leave it out, or state %s", s.Match.Verb, s.Break, want)
	}
	if s.Events > 0 && verbFor(s.Break) != verbWatch {
		report("events", "only a watch has events; break must be dropWatch, resetWatch, stallWatch or expireWatch")
	}
	return all
}

// The verbs that some breaks are about alone.
const (
	verbList  = "list"
	verbWatch = "watch"
)

// verbFor is the only verb whose requests can break so; empty if any can.
func verbFor(how string) string {
	switch how {
	case breakTruncate:
		return verbList
	case breakDropWatch, breakResetWatch, breakStallWatch, breakExpireWatch:
		return verbWatch
	}
	return ""
}

// disturbance disturbs requests. Nothing in the cluster changes, and it is gone with the process that does it.
type disturbance struct {
	spec *v1alpha1.API

	mu     sync.Mutex
	remove func()
}

func (*disturbance) lurks() {}

func (*disturbance) available(_ context.Context, s Site) error {
	if s.Path == nil {
		return fmt.Errorf("%w: Helm's requests do not pass a gateway", cluster.ErrUnsupported)
	}
	return nil
}

func (*disturbance) aim(context.Context, Site) (Aim, error) {
	return Aim{Undo: map[string]string{}}, nil // what it hits is known when it does
}

func (d *disturbance) inject(ctx context.Context, s *scene) error {
	kinds, err := kindsOf(ctx, s.Site)
	if err != nil {
		return err
	}
	match := d.spec.Match
	match.Verb = cmp.Or(match.Verb, verbFor(d.spec.Break))
	t := &trap{
		spec: d.spec, fault: s.name, matcher: newMatcher(match, s.Seed, s.name), now: time.Now,
		fired: func(r evidence.Request, detail string) { s.firedAt(r, kinds.refOf(r), detail) },
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove = s.Path.Intercept(t)
	return nil
}

func (*disturbance) propagated(context.Context, *scene) error { return nil }

func (d *disturbance) recover(context.Context, *scene) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.remove != nil {
		d.remove()
		d.remove = nil
	}
	return nil
}

func (*disturbance) recovered(context.Context, *scene) error { return nil }

// kinds maps resources to the kinds of their objects.
type kinds map[schema.GroupVersionResource]string

// kindsOf asks the cluster for its kinds. What an API server behind the API server does not tell is left out.
func kindsOf(ctx context.Context, s Site) (kinds, error) {
	_, lists, err := s.Client.Discovery().ServerGroupsAndResources()
	if err != nil && len(lists) == 0 {
		return nil, fmt.Errorf("asking the cluster for its kinds: %w", cmp.Or(ctx.Err(), err))
	}
	all := kinds{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			all[gv.WithResource(r.Name)] = r.Kind
		}
	}
	return all, nil
}

// refOf is the object that a request is about, or * for all of a kind. Where the kind is not known the resource stands for
// it, and for a path that is no object's the path does.
func (k kinds) refOf(r evidence.Request) evidence.Ref {
	gvr := schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Resource}
	if r.Resource == "" {
		return evidence.Ref{Kind: "Path", Name: r.Path}
	}
	return evidence.Ref{
		Group: r.Group, Version: r.Version, Kind: cmp.Or(k[gvr], r.Resource), Namespace: r.Namespace, Name: cmp.Or(r.Name, "*"),
	}
}
