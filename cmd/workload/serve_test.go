package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listener is one in memory, as synctest can only wait for what it sees.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// answers tells whether a path is answered by 200, asked on a new connection.
func (l *listener) answers(path string) bool {
	dial := func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	response, err := client.Get("http://workload" + path)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // the status is all that counts
	return response.StatusCode == http.StatusOK
}

// Told to end, it is not ready, still answers, and ends when that is over.
func TestDrain(t *testing.T) {
	t.Parallel()
	const s = time.Second
	four := 4 * s
	for name, test := range map[string]struct {
		config config
		hung   bool          // a probe is under way that is not answered
		takes  time.Duration // from being told to end
		code   int
	}{
		"at once":              {config{}, false, 0, 0},
		"after a while":        {config{drain: 5 * s}, false, 5 * s, 0},
		"a crash comes before": {config{drain: 9 * s, crashAfter: &four}, false, 3 * s, 1},
		"hanging":              {config{hangAfter: new(time.Duration)}, true, closeTimeout, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, began := newListener(), time.Now()
				ctx, terminate := context.WithCancel(t.Context())
				defer terminate()
				code := make(chan int)
				go func() { code <- serve(ctx, test.config, l, slog.New(slog.DiscardHandler)) }()
				if test.hung {
					go l.answers("/healthz")
				}
				time.Sleep(s)
				terminate()
				synctest.Wait()
				if test.config.drain > 0 && (!l.answers("/healthz") || l.answers("/readyz")) {
					t.Error("while it drains, it is not healthy or still ready")
				}
				if got := <-code; got != test.code || time.Since(began)-s != test.takes {
					t.Errorf("exit code %d after %s, want %d after %s", got, time.Since(began)-s, test.code, test.takes)
				}
			})
		})
	}
}

// A listener that breaks ends the program.
func TestServeBreaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if code := serve(t.Context(), config{}, l, slog.New(slog.DiscardHandler)); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
	})
}

// answers makes a round tripper of a function.
type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// after is when the URL answers 200; before, it answers 503 or, if refused, nothing.
		after      time.Duration
		refused    bool
		terminated time.Duration
		code       int
		takes      time.Duration
	}{
		"at once":         {code: 0},
		"after a while":   {after: 3 * time.Second, code: 0, takes: 3 * time.Second},
		"once it is up":   {after: 3 * time.Second, refused: true, code: 0, takes: 3 * time.Second},
		"never":           {after: time.Hour, code: 1, takes: 10 * time.Second},
		"told to give up": {after: time.Hour, terminated: time.Second, code: exitTerminated, takes: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.terminated > 0 {
					time.AfterFunc(test.terminated, cancel)
				}
				client := &http.Client{Transport: answers(func(*http.Request) (*http.Response, error) {
					w := httptest.NewRecorder()
					switch {
					case time.Since(began) >= test.after:
					case test.refused:
						return nil, errors.New("connection refused")
					default:
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					return w.Result(), nil
				})}
				c := checking{url: "http://frontend:8080/readyz", client: client, limit: 10 * time.Second}
				if code := checkWith(ctx, c, slog.New(slog.DiscardHandler)); code != test.code || time.Since(began) != test.takes {
					t.Errorf("exit code %d after %s, want %d after %s", code, time.Since(began), test.code, test.takes)
				}
			})
		})
	}
}

// Each question goes over a connection of its own: an earlier one may lead elsewhere.
func TestCheckConnections(t *testing.T) {
	t.Parallel()
	var connections, questions atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if questions.Add(1) < 3 {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	if code := check(t.Context(), config{checkFor: time.Minute}, []string{server.URL}, slog.New(slog.DiscardHandler)); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if asked, made := questions.Load(), connections.Load(); asked != 3 || made != 3 {
		t.Errorf("%d questions over %d connections, want 3 over 3", asked, made)
	}
}
