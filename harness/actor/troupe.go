package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

// Mistakes in using a troupe.
var (
	// ErrUnknown says that a troupe has no actor of that name.
	ErrUnknown = errors.New("there is no such actor")
	// ErrRepeating says that an actor is already writing at its interval.
	ErrRepeating = errors.New("it is writing already; stop it first")
	// ErrNotRepeating says that there is nothing to stop.
	ErrNotRepeating = errors.New("it is not writing, so it cannot be stopped")
	// ErrClosed says that the troupe has been closed.
	ErrClosed = errors.New("the actors have been dismissed")
)

// userAgent is that of the troupe, and with a name appended that of an actor.
const userAgent = "rehearse-actor"

// Sink takes the evidence of writes. It is an evidence.Recorder, but for tests.
type Sink interface {
	Record(e evidence.Event) int64
}

// Troupe is the actors of one scenario. It is safe for concurrent use.
type Troupe struct {
	namespace string
	sink      Sink
	kinds     *kinds
	members   map[string]*member
	// detach frees the troupe from the context that it was made with.
	detach func() bool

	mu        sync.Mutex
	closed    bool
	repeating map[string]*repetition
}

// member is one actor.
type member struct {
	name    string
	manager string
	verb    string
	every   time.Duration
	client  dynamic.Interface
	write   write
}

// NewTroupe makes the actors of a scenario whose home is namespace. Nothing is written before Act. Repeated writes end
// with ctx, with Stop or with Close, whichever comes first.
func NewTroupe(ctx context.Context, cfg *rest.Config, namespace string, actors []v1alpha1.Actor, sink Sink) (*Troupe, error) {
	client, err := discovery.NewDiscoveryClientForConfig(configOf(cfg, userAgent))
	if err != nil {
		return nil, fmt.Errorf("making a client of the cluster at %s: %w", cfg.Host, err)
	}
	t := &Troupe{
		namespace: namespace,
		sink:      sink,
		kinds:     &kinds{client: client},
		members:   map[string]*member{},
		repeating: map[string]*repetition{},
	}
	for _, a := range actors {
		m, err := hire(cfg, a)
		if err != nil {
			return nil, fmt.Errorf("actor %s: %w", a.Name, err)
		}
		t.members[a.Name] = m
	}
	t.detach = context.AfterFunc(ctx, func() { t.dismiss() })
	return t, nil
}

func hire(cfg *rest.Config, a v1alpha1.Actor) (*member, error) {
	entry, err := Registry().Lookup(a.Do.Kind)
	if err != nil {
		return nil, err
	}
	w, err := entry.Code.prepare(a.Do.Spec)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(configOf(cfg, userAgent+"/"+a.Name))
	if err != nil {
		return nil, fmt.Errorf("making a client of the cluster at %s: %w", cfg.Host, err)
	}
	m := &member{name: a.Name, manager: a.Manager, verb: entry.Name, client: client, write: w}
	if m.manager == "" {
		m.manager = a.Name
	}
	if a.Every != nil {
		if m.every = a.Every.Duration; m.every <= 0 {
			return nil, fmt.Errorf("every is %s; it must be longer than nothing", m.every)
		}
	}
	return m, nil
}

// configOf lifts the client's own rate limit, which would stretch short intervals.
func configOf(cfg *rest.Config, agent string) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = agent
	cfg.QPS = -1
	return cfg
}

// Act has an actor write once and returns the write's error. One with an interval goes on writing after that, whatever
// became of the first write, until it is stopped; the errors of its later writes are in the evidence alone.
func (t *Troupe) Act(ctx context.Context, name string) error {
	m, err := t.member(name)
	if err != nil {
		return err
	}
	if t.isClosed() {
		return fmt.Errorf("actor %s: %w", name, ErrClosed)
	}
	if m.every == 0 {
		return t.perform(ctx, m)
	}
	later, r, err := t.engage(ctx, name)
	if err != nil {
		return fmt.Errorf("actor %s: %w", name, err)
	}
	err = t.perform(ctx, m)
	go r.run(later, m.every, func(ctx context.Context) { _ = t.perform(ctx, m) })
	return err
}

func (t *Troupe) member(name string) (*member, error) {
	if m, ok := t.members[name]; ok {
		return m, nil
	}
	names := make([]string, 0, len(t.members))
	for known := range t.members {
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("actor %q: %w%s", name, ErrUnknown, registry.Hint(name, names))
}

// perform makes one write and records it, whatever became of it.
func (t *Troupe) perform(ctx context.Context, m *member) error {
	to := m.write.target
	w := evidence.ActorWrite{Actor: m.name, Manager: m.manager, Verb: m.verb, Ref: evidence.Ref{
		Group: to.group, Version: to.version, Kind: to.kind, Namespace: to.namespace, Name: to.name,
	}}
	err := t.send(ctx, m, &w.Ref)
	if unserved(err) {
		// What was known of the kind may be outdated, as its CRD may have been replaced.
		t.kinds.forget()
		err = t.send(ctx, m, &w.Ref)
	}
	if err != nil {
		w.Error = err.Error()
		err = fmt.Errorf("actor %s: %s %s: %w", m.name, m.verb, w.Ref, err)
	}
	t.sink.Record(evidence.Event{Write: &w})
	return err
}

// send makes one write, and fills in what came to be known of its object.
func (t *Troupe) send(ctx context.Context, m *member, to *evidence.Ref) error {
	mapping, err := t.kinds.resolve(ctx, m.write.target)
	if err != nil {
		return err
	}
	to.Group, to.Version = mapping.GroupVersionKind.Group, mapping.GroupVersionKind.Version
	o := object{kind: to.Kind, namespace: m.write.target.namespace, name: m.write.target.name, manager: m.manager}
	resource := m.client.Resource(mapping.Resource)
	switch namespaced := mapping.Scope.Name() == meta.RESTScopeNameNamespace; {
	case !namespaced && o.namespace != "":
		return fmt.Errorf("%s is cluster-scoped; leave out the namespace %s", o.kind, o.namespace)
	case !namespaced:
		o.client = resource
	default:
		if o.namespace == "" {
			o.namespace = t.namespace
		}
		o.client = resource.Namespace(o.namespace)
	}
	to.Namespace = o.namespace
	seen, err := m.write.send(ctx, o)
	if seen != nil {
		to.Name, to.UID = seen.GetName(), string(seen.GetUID())
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w, so whether it took effect is unknown: %w", context.Cause(ctx), err)
	}
	return err
}
