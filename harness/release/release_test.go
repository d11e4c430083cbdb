package release

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// nowhere is a cluster that does not answer.
func nowhere() *rest.Config { return &rest.Config{Host: "http://127.0.0.1:0"} }

func TestOpen(t *testing.T) {
	t.Parallel()
	whole := Target{RESTConfig: nowhere(), Namespace: "ns", CacheDir: "cache", Release: v1alpha1.Release{Name: "shop"}}
	for name, test := range map[string]struct {
		change func(*Target)
		want   string // part of the error; empty: none
	}{
		"whole":        {change: func(*Target) {}},
		"no cluster":   {change: func(t *Target) { t.RESTConfig = nil }, want: "RESTConfig"},
		"no namespace": {change: func(t *Target) { t.Namespace = "" }, want: "Namespace"},
		"no name":      {change: func(t *Target) { t.Release.Name = "" }, want: "no name"},
		"no cache":     {change: func(t *Target) { t.CacheDir = "" }, want: "CacheDir"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := whole
			test.change(&target)
			s, err := Open(target)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got error %v, want one about %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.target.FieldManager != "helm" || s.target.Name != "shop" {
				t.Errorf("got field manager %q and name %q, want helm and shop", s.target.FieldManager, s.target.Name)
			}
		})
	}
}

func TestRunNamesTheOperation(t *testing.T) {
	t.Parallel()
	s, err := Open(Target{RESTConfig: nowhere(), Namespace: "ns", Name: "shop", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		do     func(*session) error
		cancel bool
		is     error
		want   string
	}{
		"an error":              {do: func(*session) error { return boom }, is: boom, want: "upgrade of release ns/shop: boom"},
		"a panic":               {do: func(*session) error { panic("nil map") }, is: ErrPanic, want: "upgrade of release ns/shop: a panic in Helm: nil map"},
		"a cancelled one":       {do: func(*session) error { return boom }, cancel: true, is: boom, want: "upgrade of release ns/shop was cut short: context canceled: boom"},
		"one that says so":      {do: func(*session) error { return context.Canceled }, cancel: true, is: context.Canceled, want: "upgrade of release ns/shop was cut short: context canceled"},
		"an error of one's own": {do: func(s *session) error { return s.cfg.KubeClient.IsReachable() }, want: "kubernetes cluster unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := s.run(ctx, "upgrade", "", func(ses *session) error {
				if test.cancel {
					cancel()
				}
				return test.do(ses)
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got error %v, want %q", err, test.want)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("the error does not wrap %v", test.is)
			}
		})
	}
}

// TestHangingServer checks that an API server that does not answer holds an operation up for no longer than the grace.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	s, err := Open(Target{RESTConfig: &rest.Config{Host: server.URL}, Namespace: "ns", Name: "shop", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.grace = 10 * time.Millisecond
	started := time.Now()
	err = s.Rollback(ctx, v1alpha1.Rollback{To: 1})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errGrace) {
		t.Errorf("got error %v, want one of cancellation and of the grace", err)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
