package observe_test

import (
	"context"
	"errors"
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
	// cut is closed to end the watches that are under way.
	cut atomic.Pointer[chan struct{}]
	// blocked refuses new watches.
	blocked atomic.Bool
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
	if !strings.HasSuffix(r.URL.Path, "/configmaps") || r.URL.Query().Get("watch") == "" {
		next.ServeHTTP(w, r)
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

func TestSnapshotWaitsForALateWatch(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*scene){
		"create": func(s *scene) { s.create("configmaps", configMap("late")) },
		"update": func(s *scene) { s.patch("configmaps", "x", label("1")) },
		"delete": func(s *scene) { s.delete("configmaps", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, cfg := newLine(t)
			hub, err := observe.Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(hub.Close)
			s := stageOn(t, hub)
			s.create("configmaps", configMap("x"))
			s.snapshot()
			l.sever()
			write(s)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = s.sub.Snapshot(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "configmaps lags behind") {
				t.Errorf("a snapshot was taken without the newest write: %v", err)
			}
			l.repair()
			s.snapshot()
		})
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
