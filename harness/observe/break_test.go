package observe_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/observe"
	"rehearse.dev/rehearse/harness/ref"
)

// line is a proxy before the API server whose watches on ConfigMaps a test can disturb.
type line struct {
	*httptest.Server
	// refused are further requests that are refused; nil: none.
	refused atomic.Pointer[func(*http.Request) bool]
	// cut is closed to end the watches that are under way.
	cut atomic.Pointer[chan struct{}]
	// blocked refuses new watches.
	blocked atomic.Bool
	// away resets the connections of new watches, as if there were no API server; told counts them.
	away atomic.Bool
	told atomic.Int32
	// expired answers one watch with 410 Gone.
	expired atomic.Bool
}

func newLine(t *testing.T) (*line, *rest.Config) {
	t.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{}
	l.repair()
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(proxy, w, r) }))
	t.Cleanup(l.Close)
	return l, &rest.Config{Host: l.URL}
}

func (l *line) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if refused := l.refused.Load(); refused != nil && (*refused)(r) {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/configmaps") || r.URL.Query().Get("watch") == "" {
		next.ServeHTTP(w, r)
		return
	}
	if l.away.Load() {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		l.told.Add(1)
		return
	}
	if l.blocked.Load() {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	if l.expired.CompareAndSwap(true, false) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGone)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old","code":410}`))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	cut := *l.cut.Load()
	go func() {
		select {
		case <-cut:
			cancel()
		case <-ctx.Done():
		}
	}()
	next.ServeHTTP(w, r.WithContext(ctx))
}

func (l *line) sever() {
	l.blocked.Store(true)
	close(*l.cut.Load())
}

func (l *line) repair() {
	cut := make(chan struct{})
	l.cut.Store(&cut)
	l.blocked.Store(false)
}

// goAway lets the watch find nobody a few times, and then find that its place is no longer known.
func (l *line) goAway() {
	l.away.Store(true)
	for l.told.Load() < 3 { // the transport tries again by itself once
		time.Sleep(time.Millisecond)
	}
	l.expired.Store(true)
	l.away.Store(false)
}

func labelled(value string) observe.Condition {
	return func(o map[string]any, _ string) bool {
		u := unstructured.Unstructured{Object: o}
		return u.GetLabels()["n"] == value
	}
}

func label(value string) map[string]any {
	return map[string]any{"metadata": map[string]any{"labels": map[string]any{"n": value}}}
}

// disturbed makes a scene on a hub of its own, writes while its watch is severed, and waits until the last write is seen.
func disturbed(t *testing.T, hurt func(*line)) *scene {
	t.Helper()
	l, cfg := newLine(t)
	hub, err := observe.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	s := stageOn(t, hub)
	s.create("configmaps", configMap("x"))
	s.create("configmaps", configMap("doomed"))
	s.snapshot()
	l.sever()
	s.patch("configmaps", "x", label("1"))
	s.patch("configmaps", "x", label("2"))
	s.delete("configmaps", "doomed")
	hurt(l)
	l.repair()
	if err := s.sub.Await(t.Context(), ref.Ref{Kind: "ConfigMap", Name: "x"}, labelled("2")); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBrokenWatchResumesWithoutLoss(t *testing.T) {
	t.Parallel()
	s := disturbed(t, func(*line) {})
	s.expectStory("ConfigMap/x", "added NotFound→Current modified modified")
	s.expectStory("ConfigMap/doomed", "added NotFound→Current deleted Current→NotFound")
	if gaps := s.sink.gaps(); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestExpiredWatchIsAGap(t *testing.T) {
	t.Parallel()
	s := disturbed(t, func(l *line) { l.expired.Store(true) })
	s.expectStory("ConfigMap/x", "added NotFound→Current modified")
	s.expectStory("ConfigMap/doomed", "added NotFound→Current deleted Current→NotFound")
	gaps := s.sink.gaps()
	if len(gaps) != 1 || gaps[0].Resource != "configmaps" || !strings.Contains(gaps[0].Reason, "too old") {
		t.Errorf("gaps: %v", gaps)
	}
}

// TestAnAPIServerThatWasAwayIsNoGap: what a watch has missed is read back from etcd's history, version by version.
func TestAnAPIServerThatWasAwayIsNoGap(t *testing.T) {
	t.Parallel()
	s := disturbed(t, func(l *line) {
		l.goAway()
	})
	s.expectStory("ConfigMap/x", "added NotFound→Current modified modified")
	s.expectStory("ConfigMap/doomed", "added NotFound→Current deleted Current→NotFound")
	if gaps := s.sink.gaps(); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
}

// TestMissedLife: objects that were made while the API server was away are told of from their first version on, and one
// that was changed and removed up to its last.
func TestMissedLife(t *testing.T) {
	t.Parallel()
	l, s := severed(t)
	s.create("configmaps", configMap("late"))
	s.patch("configmaps", "x", label("last"))
	s.patch("configmaps", "late", label("1"))
	s.delete("configmaps", "x")
	s.create("configmaps", configMap("x")) // another of its name
	s.patch("configmaps", "late", label("2"))
	l.goAway()
	l.repair()
	if err := s.sub.Await(t.Context(), ref.Ref{Kind: "ConfigMap", Name: "late"}, labelled("2")); err != nil {
		t.Fatal(err)
	}
	s.snapshot()
	s.expectStory("ConfigMap/late", "added NotFound→Current modified modified")
	s.expectStory("ConfigMap/x", "added NotFound→Current modified modified deleted Current→NotFound added NotFound→Current")
	if gaps := s.sink.gaps(); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
}

// aWhile is how long a test looks on while something must not happen. Too short a time hides a fault, but never makes
// a sound program fail.
const aWhile = 500 * time.Millisecond

// severed makes a scene in which the watch on ConfigMaps is cut off after it has told of x, labelled "old".
func severed(t *testing.T) (*line, *scene) {
	t.Helper()
	l, cfg := newLine(t)
	hub, err := observe.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	s := stageOn(t, hub)
	s.create("configmaps", configMap("x"))
	s.patch("configmaps", "x", label("old"))
	s.snapshot()
	l.sever()
	return l, s
}

func TestSnapshotWaitsForALateWatch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		write func(*scene)
		want  string
	}{
		"create": {func(s *scene) { s.create("configmaps", configMap("late")) }, "late= x=old"},
		"update": {func(s *scene) { s.patch("configmaps", "x", label("new")) }, "x=new"},
		"delete": {func(s *scene) { s.delete("configmaps", "x") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, s := severed(t)
			tc.write(s)
			taken := make(chan string, 1)
			go func() { taken <- labels(s.sub.Snapshot(t.Context())) }()
			select {
			case got := <-taken:
				t.Errorf("a snapshot was taken without the newest write: %s", got)
			case <-time.After(aWhile):
				l.repair()
				if got := <-taken; got != tc.want {
					t.Errorf("got %s, want %s", got, tc.want)
				}
			}
		})
	}
}

// TestSnapshotWaitsForTheWatchOfANewResource: objects of a CRD that has just come are in a snapshot, however late their
// watch, or that of CRDs, and each of their versions is in the evidence.
func TestSnapshotWaitsForTheWatchOfANewResource(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]func(r *http.Request, group string) bool{
		"no list yet": func(r *http.Request, group string) bool {
			return r.URL.Path == "/apis/"+group+"/v1/widgets" && !r.URL.Query().Has("watch")
		},
		"not told of the CRD": func(r *http.Request, _ string) bool {
			return strings.HasSuffix(r.URL.Path, "/customresourcedefinitions") && r.URL.Query().Has("watch")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, cfg := newLine(t)
			maker := stage(t)
			refused := func(r *http.Request) bool { return refuses(r, maker.namespace+".example.com") }
			l.refused.Store(&refused)
			hub, err := observe.Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(hub.Close)
			told := &sink{}
			late, err := hub.Subscribe(t.Context(), observe.Scope{Namespace: maker.namespace, Release: "shop"}, told)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(late.Close)
			_, resource := maker.define("v1")
			maker.widget(resource)
			maker.patch(resource, "w", label("1"))
			taken := make(chan string, 1)
			go func() { taken <- widgets(late.Snapshot(t.Context())) }()
			select {
			case got := <-taken:
				t.Errorf("a snapshot was taken before the watch was there: %s", got)
			case <-time.After(aWhile):
				l.refused.Store(nil)
				if got := <-taken; got != "w" {
					t.Errorf("the snapshot holds the widgets %q, want w", got)
				}
				if got := told.story("Widget/w"); got != "added NotFound→Current modified" || len(told.gaps()) > 0 {
					t.Errorf("told %s; gaps: %v", got, told.gaps())
				}
			}
		})
	}
}

// TestAwaitDoesNotTakeANewKindForAbsent: an object of a CRD of which the hub was not told yet is awaited, and is not NotFound.
func TestAwaitDoesNotTakeANewKindForAbsent(t *testing.T) {
	t.Parallel()
	l, cfg := newLine(t)
	late := func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/customresourcedefinitions") && r.URL.Query().Has("watch")
	}
	l.refused.Store(&late)
	hub, err := observe.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	maker := stage(t)
	sub, err := hub.Subscribe(t.Context(), observe.Scope{Namespace: maker.namespace, Release: "shop"}, &sink{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	_, resource := maker.define("v1")
	maker.widget(resource)
	object := ref.Ref{Group: maker.namespace + ".example.com", Kind: "Widget", Name: "w"}
	inNamespace := object
	inNamespace.Namespace = maker.namespace
	absent := func(o map[string]any, _ string) bool { return o == nil }
	for _, object := range []ref.Ref{object, inNamespace} {
		ctx, cancel := context.WithTimeout(t.Context(), aWhile)
		if err := sub.Await(ctx, object, absent); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await took %s, of which it was not told, for absent: %v", object, err)
		}
		cancel()
	}
	l.refused.Store(nil)
	if err := sub.Await(t.Context(), object, func(o map[string]any, _ string) bool { return o != nil }); err != nil {
		t.Error(err)
	}
}

// widgets are the names of the widgets in a snapshot.
func widgets(objects []map[string]any, err error) string {
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, o := range objects {
		if u := (unstructured.Unstructured{Object: o}); u.GetKind() == "Widget" {
			names = append(names, u.GetName())
		}
	}
	return strings.Join(names, " ")
}

// labels renders the ConfigMaps of a snapshot that a test made.
func labels(objects []map[string]any, err error) string {
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, o := range objects {
		u := unstructured.Unstructured{Object: o}
		if u.GetKind() == "ConfigMap" && u.GetName() != "kube-root-ca.crt" {
			words = append(words, u.GetName()+"="+u.GetLabels()["n"])
		}
	}
	return strings.Join(words, " ")
}

func TestAwaitDoesNotTrustTheLastVersionSeen(t *testing.T) {
	t.Parallel()
	l, s := severed(t)
	s.patch("configmaps", "x", label("new"))
	ctx, cancel := context.WithTimeout(t.Context(), aWhile)
	defer cancel()
	object := ref.Ref{Kind: "ConfigMap", Name: "x"}
	if err := s.sub.Await(ctx, object, labelled("old")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await took a version that was out of date: %v", err)
	}
	l.repair()
	if err := s.sub.Await(t.Context(), object, labelled("new")); err != nil {
		t.Error(err)
	}
}

func TestClosedHubTakesNoSubscription(t *testing.T) {
	t.Parallel()
	hub, err := observe.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s := stageOn(t, hub)
	hub.Close()
	hub.Close()
	if _, err := s.sub.Snapshot(t.Context()); !errors.Is(err, observe.ErrClosed) {
		t.Errorf("Snapshot: %v", err)
	}
	if _, err := hub.Subscribe(t.Context(), observe.Scope{Namespace: s.namespace}, s.sink); !errors.Is(err, observe.ErrClosed) {
		t.Errorf("Subscribe: %v", err)
	}
}
