package observe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rehearse.dev/rehearse/harness/eventually"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/ref"
)

func configMap(name string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}, data: {n: '0'}}"
}

// waitingPod never finds a node, so nobody but the test writes to it.
const waitingPod = `{apiVersion: v1, kind: Pod, metadata: {name: web},
  spec: {schedulerName: none, containers: [{name: app, image: app}]}}`

func podPhase(phase, ready string) map[string]any {
	return map[string]any{"status": map[string]any{
		"phase":      phase,
		"conditions": []any{map[string]any{"type": "Ready", "status": ready}},
	}}
}

// TestTransitionOfFiftyMillisecondsIsSeen: a state that lasts no longer is seen, and so is every one that lasts longer because
// the machine is busy.
func TestTransitionOfFiftyMillisecondsIsSeen(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.create("pods", waitingPod)
	want := "added NotFound→InProgress"
	shortest := time.Hour
	for try := 0; shortest > 50*time.Millisecond; try++ {
		if try == 100 {
			t.Fatalf("no state lasted less than %s: this shows nothing", shortest)
		}
		start := time.Now()
		s.patch("pods", "web", podPhase("Running", "True"), "status")
		s.patch("pods", "web", podPhase("Running", "False"), "status")
		shortest = min(shortest, time.Since(start))
		want += " modified InProgress→Current modified Current→InProgress"
	}
	s.expectStory("Pod/web", want)
}

// TestOutsideTheNamespace: of other namespaces what the scope names is held, what carries the release's marks in those, and
// what these own; nothing else.
func TestOutsideTheNamespace(t *testing.T) {
	t.Parallel()
	s, far := stage(t), namespace(t)
	elsewhere := func(name, marks string) *unstructured.Unstructured {
		t.Helper()
		u := parse(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: "+name+marks+"}}")
		made, err := in("configmaps", far).Create(t.Context(), u, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	owned := func(by *unstructured.Unstructured) string {
		return fmt.Sprintf(", ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: %s, uid: %s}]", by.GetName(), by.GetUID())
	}
	marks := ", annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: " + s.namespace + "}"
	elsewhere("before", "")
	elsewhere("release-before", marks)
	sub, err := shared.Subscribe(t.Context(), observe.Scope{Namespace: s.namespace, Release: "shop", Also: []ref.Ref{
		{Kind: "ConfigMap", Namespace: far, Name: "before"}, {Kind: "ConfigMap", Namespace: far, Name: "named"}, {Kind: "Namespace", Name: far},
	}}, s.sink)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	s.sub = sub
	parent := elsewhere("release", marks)
	elsewhere("child", owned(parent))
	elsewhere("named", "")
	elsewhere("stranger", "")
	elsewhere("strangers", ", annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: another}")
	want := []string{"ConfigMap/before", "ConfigMap/child", "ConfigMap/named", "ConfigMap/release", "ConfigMap/release-before", "Namespace/" + far}
	if got := s.snapshot(); !slices.Equal(got, want) {
		t.Errorf("snapshot: %v, want %v", got, want)
	}
	if err := in("configmaps", far).Delete(t.Context(), "named", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.expectStory("ConfigMap/named", "added NotFound→Current deleted Current→NotFound")
	s.expectStory("ConfigMap/release-before", "initial NotFound→Current")
	s.expectStory("ConfigMap/stranger", "")
}

// TestLeases: those of a namespace are seen like anything else, those of nodes and leaders not; a scope that asks for one of
// these is told, and its snapshot does not wait for their watch.
func TestLeases(t *testing.T) {
	t.Parallel()
	const leases = "leases.v1.coordination.k8s.io"
	lease := func(name string) string {
		return "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: " + name + "}, spec: {holderIdentity: a}}"
	}
	s := stage(t)
	s.create(leases, lease("mine"))
	s.patch(leases, "mine", map[string]any{"spec": map[string]any{"holderIdentity": "b"}})
	s.delete(leases, "mine")
	s.expectStory("Lease/mine", "added NotFound→Current modified deleted Current→NotFound")
	if gaps := s.sink.gaps(); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}

	leader := parse(t, lease(s.namespace)) // a name of its own
	system := in(leases, metav1.NamespaceSystem)
	asking := &scene{T: t, namespace: s.namespace, sink: &sink{}}
	sub, err := shared.Subscribe(t.Context(), observe.Scope{Namespace: s.namespace, Release: "shop", Also: []ref.Ref{
		{Kind: "Lease", Namespace: metav1.NamespaceSystem, Name: leader.GetName()},
	}}, asking.sink)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	asking.sub = sub
	if _, err := system.Create(t.Context(), leader, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	asking.expectStory("Lease/"+leader.GetName(), "")
	gaps := asking.sink.gaps()
	if len(gaps) != 1 || gaps[0].Resource != "leases.coordination.k8s.io" || !strings.Contains(gaps[0].Reason, "kube-system are not watched") {
		t.Errorf("gaps: %v", gaps)
	}
	if err := system.Delete(t.Context(), leader.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

func TestAwaitSeesWhatLastsAMoment(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.create("pods", waitingPod)
	pod := ref.Ref{Kind: "Pod", Name: "web"}
	done := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		first := true
		done <- s.sub.Await(t.Context(), pod, func(_ map[string]any, kstatus string) bool {
			if first {
				close(started)
				first = false
			}
			return kstatus == "Current"
		})
	}()
	<-started
	s.patch("pods", "web", podPhase("Running", "True"), "status")
	s.patch("pods", "web", podPhase("Running", "False"), "status")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := stage(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.sub.Await(ctx, ref.Ref{Kind: "Pod", Name: "web"}, func(o map[string]any, _ string) bool {
		cancel()
		return o != nil
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "Pod/web (kstatus NotFound)") {
		t.Errorf("error %v", err)
	}
}

func TestAwaitElsewhere(t *testing.T) {
	t.Parallel()
	s, other := stage(t), namespace(t)
	exists := func(o map[string]any, _ string) bool { return o != nil }
	if err := s.sub.Await(t.Context(), ref.Ref{Kind: "ConfigMap", Namespace: other, Name: "kube-root-ca.crt"}, exists); err != nil {
		t.Error(err)
	}
	if err := s.sub.Await(t.Context(), ref.Ref{Kind: "Namespace", Name: other}, exists); err != nil {
		t.Error(err)
	}
	if got := s.sink.story("Namespace/" + other); got != "" {
		t.Errorf("an object outside the scope left evidence: %s", got)
	}
}

func TestDeletedAndCreatedAgain(t *testing.T) {
	t.Parallel()
	s := stage(t)
	first := s.create("configmaps", configMap("x"))
	s.delete("configmaps", "x")
	second := s.create("configmaps", configMap("x"))
	s.expectStory("ConfigMap/x", "added NotFound→Current deleted Current→NotFound added NotFound→Current")
	var uids []string
	for _, e := range s.sink.all() {
		if e.Object != nil && e.Object.Ref.Name == "x" {
			uids = append(uids, e.Object.Ref.UID)
		}
	}
	a, b := string(first.GetUID()), string(second.GetUID())
	if want := []string{a, a, b}; !slices.Equal(uids, want) {
		t.Errorf("UIDs %v, want %v", uids, want)
	}
}

func TestInitialObjects(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.create("configmaps", configMap("old"))
	var later sink
	sub, err := shared.Subscribe(t.Context(), observe.Scope{Namespace: s.namespace}, &later)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := later.story("ConfigMap/old"); got != "initial NotFound→Current" {
		t.Errorf("got %q", got)
	}
}

func TestBurstMissesNoVersion(t *testing.T) {
	t.Parallel()
	s := stage(t)
	const objects, updates = 1000, 2
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(20)
	for i := range objects {
		group.Go(func() error {
			u := parse(t, configMap(fmt.Sprintf("burst-%d", i)))
			u, err := in("configmaps", s.namespace).Create(ctx, u, metav1.CreateOptions{})
			for n := 0; n < updates && err == nil; n++ {
				u.Object["data"] = map[string]any{"n": fmt.Sprint(n + 1)}
				u, err = in("configmaps", s.namespace).Update(ctx, u, metav1.UpdateOptions{})
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := len(s.snapshot()); got != objects {
		t.Errorf("the snapshot holds %d objects, want %d", got, objects)
	}
	versions := map[string]int{}
	for _, e := range s.sink.all() {
		if e.Object != nil && strings.HasPrefix(e.Object.Ref.Name, "burst-") {
			versions[e.Object.Ref.Name]++
		}
	}
	for i := range objects {
		if name := fmt.Sprintf("burst-%d", i); versions[name] != 1+updates {
			t.Errorf("%s: %d versions seen, want %d", name, versions[name], 1+updates)
		}
	}
	if gaps := s.sink.gaps(); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestSnapshotHoldsEveryWriteBefore(t *testing.T) {
	t.Parallel()
	s := stage(t)
	for i := range 30 {
		cm, secret := fmt.Sprintf("cm-%d", i), fmt.Sprintf("secret-%d", i)
		s.create("configmaps", configMap(cm))
		s.create("secrets", "{apiVersion: v1, kind: Secret, metadata: {name: "+secret+"}}")
		if got, want := s.snapshot(), []string{"ConfigMap/" + cm, "Secret/" + secret}; !slices.Equal(got, want) {
			t.Fatalf("round %d: after create: got %v, want %v", i, got, want)
		}
		s.delete("configmaps", cm)
		s.delete("secrets", secret)
		if got := s.snapshot(); len(got) > 0 {
			t.Fatalf("round %d: after delete: got %v, want nothing", i, got)
		}
	}
}

func TestClusterScopedObjectsOfTheRelease(t *testing.T) {
	t.Parallel()
	s := stage(t)
	const roles = "clusterroles.v1.rbac.authorization.k8s.io"
	role := func(name, meta string) string {
		return "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {namespace: none, name: " + name + ", " + meta + "}}"
	}
	release := func(name string) string {
		return "annotations: {meta.helm.sh/release-name: " + name + ", meta.helm.sh/release-namespace: " + s.namespace + "}"
	}
	mine, owned := s.namespace+":mine", s.namespace+":owned"
	u := s.create(roles, role(mine, release("shop")))
	s.create(roles, role(s.namespace+":other", release("other")))
	s.create(roles, role(owned, fmt.Sprintf("ownerReferences: [{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, name: '%s', uid: %s}]", mine, u.GetUID())))
	for _, name := range []string{mine, owned, s.namespace + ":other"} {
		t.Cleanup(func() {
			_ = in(roles, "").Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}) // the collector may be first
		})
	}
	if got, want := s.snapshot(), []string{"ClusterRole/" + mine, "ClusterRole/" + owned}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKubeEvents(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.create("events", `{apiVersion: v1, kind: Event, metadata: {name: e}, type: Warning, reason: Unhealthy, message: no answer, count: 3,
	  source: {component: kubelet}, involvedObject: {namespace: `+s.namespace+`, apiVersion: apps/v1, kind: Deployment, name: web, uid: u}}`)
	s.create("configmaps", configMap("done"))
	want := evidence.KubeEvent{
		Regarding: evidence.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Name: "web", UID: "u", Namespace: s.namespace},
		Type:      "Warning", Reason: "Unhealthy", Message: "no answer", Count: 3, Source: "kubelet",
	}
	eventually.Holds(t, "the Event is told", func() bool {
		return slices.ContainsFunc(s.sink.all(), func(e evidence.Event) bool { return e.KubeEvent != nil && *e.KubeEvent == want })
	})
}

func TestClosedSubscriptionIsSilent(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.sub.Close()
	before := len(s.sink.all())
	s.create("configmaps", configMap("x"))
	other, err := shared.Subscribe(t.Context(), observe.Scope{Namespace: s.namespace}, &sink{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := len(s.sink.all()); after != before {
		t.Errorf("%d events after Close", after-before)
	}
	if _, err := s.sub.Snapshot(t.Context()); !errors.Is(err, observe.ErrClosed) {
		t.Errorf("Snapshot after Close: %v", err)
	}
}
