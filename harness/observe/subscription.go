package observe

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
)

// The annotations by which Helm marks the objects of a release.
const (
	releaseName      = "meta.helm.sh/release-name"
	releaseNamespace = "meta.helm.sh/release-namespace"
)

// Scope is a scenario's part of a cluster: the objects of its namespace, and of the cluster-scoped ones and those of the
// namespaces that Also mentions the ones that carry the release's annotations, that Also names, or that are owned by an
// object of the scope. An object that once belonged to the scope stays in it.
type Scope struct {
	// Namespace is the scenario's namespace; the release's too.
	Namespace string
	// Release is the release's name; empty leaves cluster-scoped objects out.
	Release string
	// Also names more objects, wherever they are.
	Also []ref.Ref
}

// others are the namespaces beside the scenario's.
func (s Scope) others() []string {
	var list []string
	for _, r := range s.Also {
		if r.Namespace != "" && r.Namespace != s.Namespace && !slices.Contains(list, r.Namespace) {
			list = append(list, r.Namespace)
		}
	}
	return list
}

// namespaces are the keys of the hub's audience that concern the scope.
func (s Scope) namespaces() []string {
	list := s.others()
	if s.Namespace != "" {
		list = append(list, s.Namespace)
	}
	if s.clusterScoped() {
		list = append(list, "")
	}
	// Events that regard cluster-scoped objects are kept in this namespace.
	if s.Release != "" && !slices.Contains(list, metav1.NamespaceDefault) {
		list = append(list, metav1.NamespaceDefault)
	}
	return list
}

func (s Scope) clusterScoped() bool {
	return s.Release != "" || slices.ContainsFunc(s.Also, func(r ref.Ref) bool { return r.Namespace == "" })
}

// covers reports whether objects of the resource can be in the scope at all.
func (s Scope) covers(res resource) bool {
	if s.Namespace == "" && s.Release == "" {
		return slices.ContainsFunc(s.Also, func(r ref.Ref) bool { return r.FitsKind(res.gvr.Group, res.kind) })
	}
	return res.namespaced || s.clusterScoped()
}

// places are where objects of a resource can be in the scope: namespaces, or all of the cluster.
func (s Scope) places(res resource) []string {
	if !res.namespaced {
		return []string{metav1.NamespaceAll}
	}
	places := s.others()
	if s.Namespace != "" {
		places = append(places, s.Namespace)
	}
	return slices.DeleteFunc(places, res.quiet) // a watch that leaves them out would never catch up with what they hold
}

// wantsQuiet reports whether the scope asks for objects of the resource that are left out.
func (s Scope) wantsQuiet(res resource) bool {
	return res.quiet(s.Namespace) || slices.ContainsFunc(s.Also, func(r ref.Ref) bool {
		return r.FitsKind(res.gvr.Group, res.kind) && res.quiet(r.Namespace)
	})
}

// Sink takes evidence; evidence.Recorder is one. Its methods return the event's sequence number. They are called in
// the order of receipt and must not change the object.
type Sink interface {
	Record(evidence.Event) int64
	Object(evidence.ObjectVersion, map[string]any) int64
}

// delivery is one thing that a watch said.
type delivery struct {
	res    resource
	change evidence.Change
	obj    *unstructured.Unstructured
}

// object is what a subscription knows of one object: its newest version, and the kstatus of that.
type object struct {
	res    resource
	obj    *unstructured.Unstructured
	status string
}

// Subscription is the flow of one scope's evidence into a sink.
type Subscription struct {
	hub   *Hub
	scope Scope
	sink  Sink
	ended chan struct{}

	mu     sync.Mutex
	closed bool
	// priming is set until the objects that were there before are recorded; what comes meanwhile is put by.
	priming bool
	backlog []delivery
	held    map[types.UID]*object
	waiters map[*waiter]bool
}

// Close ends the subscription: once it has returned the sink is not called again.
func (s *Subscription) Close() {
	s.hub.leave(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.held, s.backlog = nil, nil
	close(s.ended)
}

func (s *Subscription) deliver(d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.priming:
		s.backlog = append(s.backlog, d)
	default:
		s.take(d)
	}
}

// take records one version of an object, unless it is out of scope or no news. The lock is held.
func (s *Subscription) take(d delivery) {
	if d.res.events() {
		s.takeEvent(d)
		return
	}
	uid := d.obj.GetUID()
	known := s.held[uid]
	switch {
	case known == nil && (d.change == evidence.Deleted || !s.wants(d)):
		return
	case known != nil && d.change != evidence.Deleted && !newer(d.obj, known.obj):
		return
	case known != nil && d.change == evidence.Added: // a list does not know what has been told before
		d.change = evidence.Modified
	}
	was := statusNotFound
	if known != nil {
		was = known.status
	}
	is, message := statusNotFound, ""
	if d.change != evidence.Deleted {
		is, message = kstatus(d.obj)
	}
	ref := d.res.ref(d.obj)
	version := d.obj.GetResourceVersion()
	s.sink.Object(evidence.ObjectVersion{
		Ref: ref, Change: d.change, ResourceVersion: version, Generation: d.obj.GetGeneration(),
	}, d.obj.Object)
	if was != is {
		s.sink.Record(evidence.Event{Transition: &evidence.Transition{
			Ref: ref, From: was, To: is, Message: message, ResourceVersion: version,
		}})
	}
	if d.change == evidence.Deleted {
		delete(s.held, uid)
	} else {
		s.held[uid] = &object{res: d.res, obj: d.obj, status: is}
	}
	s.notify(d, is)
}

// wants reports whether an object that is not held yet belongs to the scope.
func (s *Subscription) wants(d delivery) bool {
	if d.res.namespaced && d.obj.GetNamespace() == s.scope.Namespace {
		return true
	}
	named := func(r ref.Ref) bool {
		return r.Fits(s.scope.Namespace, d.res.gvr.Group, d.res.kind, d.obj.GetNamespace(), d.obj.GetName())
	}
	if d.res.namespaced && !slices.Contains(s.scope.others(), d.obj.GetNamespace()) {
		return false // nobody would see to it that what is known of it is up to date
	}
	return slices.ContainsFunc(s.scope.Also, named) || s.belongs(d.obj.GetAnnotations(), ownersOf(d.obj))
}

// belongs reports whether an object with these marks, which is not in the scope's namespace, is the release's.
func (s *Subscription) belongs(annotations map[string]string, owners []types.UID) bool {
	if s.scope.Release == "" {
		return false
	}
	if annotations[releaseName] == s.scope.Release && annotations[releaseNamespace] == s.scope.Namespace {
		return true
	}
	return slices.ContainsFunc(owners, func(uid types.UID) bool { return s.held[uid] != nil })
}

func ownersOf(u *unstructured.Unstructured) []types.UID {
	var owners []types.UID
	for _, o := range u.GetOwnerReferences() {
		owners = append(owners, o.UID)
	}
	return owners
}

// reconcile takes what a list that was read after a break shows, as news in the order in which they are to be told. The
// gap is recorded unless it is nil.
func (s *Subscription) reconcile(res resource, news []delivery, gap *evidence.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.scope.covers(res) {
		return
	}
	if gap != nil {
		s.sink.Record(evidence.Event{Gap: gap})
	}
	for _, d := range news {
		if s.priming {
			s.backlog = append(s.backlog, d)
		} else {
			s.take(d)
		}
	}
}

func (s *Subscription) gap(g evidence.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.sink.Record(evidence.Event{Gap: &g})
	}
}

// bury records that objects are gone of which no watch will tell any more.
func (s *Subscription) bury(uids []types.UID, gap evidence.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, uid := range uids {
		if o := s.held[uid]; o != nil {
			s.sink.Record(evidence.Event{Gap: &gap})
			s.take(delivery{o.res, evidence.Deleted, o.obj})
		}
	}
}

// uids lists the objects of a resource that are held.
func (s *Subscription) uids(res resource) []types.UID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []types.UID
	for uid, o := range s.held {
		if o.res.gvr.GroupResource() == res.gvr.GroupResource() {
			list = append(list, uid)
		}
	}
	return list
}

func (s *Subscription) holdsAny(uids []types.UID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(uids, func(uid types.UID) bool { return s.held[uid] != nil })
}
