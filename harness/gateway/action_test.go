package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/gateway"
	"rehearse.dev/rehearse/harness/wire"
)

// once gives every request the same action.
func always(a *wire.Action) wire.Interceptor {
	return wire.InterceptorFunc(func(evidence.Request) *wire.Action { return a })
}

func TestActions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		action wire.Action
		// want is a part of the error or of the body; reached tells whether the server was asked.
		status  int
		want    string
		reached bool
	}{
		"answer": {wire.Action{Answer: &wire.Answer{Status: 429, Header: http.Header{"Retry-After": {"1"}}, Body: []byte("busy")}}, 429, "busy", false},
		// Of a reset a client is told once, be it as it writes or as it reads: the error need not say that it was one.
		"reset":    {wire.Action{Answer: &wire.Answer{Break: wire.Reset}}, 0, "", false},
		"tls":      {wire.Action{Answer: &wire.Answer{Break: wire.TLS}}, 0, "tls: ", false},
		"close":    {wire.Action{Answer: &wire.Answer{Break: wire.Close}}, 0, "", false},
		"lost":     {wire.Action{Response: &wire.Response{Break: wire.Reset, Lost: true}}, 0, "", true},
		"cut":      {wire.Action{Response: &wire.Response{Break: wire.Close}}, 200, "", true},
		"cut hard": {wire.Action{Response: &wire.Response{Break: wire.Reset}}, 200, "", true},
		"edited":   {wire.Action{Response: &wire.Response{Edit: func([]byte) ([]byte, bool) { return []byte("other"), true }}}, 200, "other", true},
		"delayed":  {wire.Action{Delay: time.Millisecond}, 200, `[1,2,3]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
				var happened []string
				note := func(what string) func(context.Context) {
					return func(context.Context) { happened = append(happened, what) }
				}
				action := test.action
				action.By, action.Before, action.After = "f", note("before"), note("after")
				if action.Response != nil {
					response := *action.Response // both protocols share the table's
					response.Done = func() { note("done")(nil) }
					action.Response = &response
				}
				defer s.Intercept(always(&action))()
				status, text, err := fetch(t.Context(), c, "PATCH", s.RESTConfig().Host+"/api/v1/namespaces/ns/pods/p", "{}")
				if err != nil {
					text = err.Error()
				}
				if status != test.status && err == nil || !strings.Contains(text, test.want) {
					t.Errorf("it got %d, %q", status, text)
				}
				broken := action.Answer != nil && action.Answer.Break != "" || action.Response != nil && action.Response.Break != ""
				if broken != (err != nil) {
					t.Errorf("error %v", err)
				}
				if reached := s.asked() > 0; reached != test.reached {
					t.Errorf("the server was asked: %v", reached)
				}
				q := s.requests()[0]
				if broken != (q.Error != "") || strings.Join(q.Faults, "") != "f" {
					t.Errorf("recorded %+v", q)
				}
				want := []string{"before"}
				if test.reached {
					want = append(want, "after")
				}
				if action.Response != nil {
					want = append(want, "done")
				}
				if got := strings.Join(happened, " "); got != strings.Join(want, " ") {
					t.Errorf("what ran: %s", got)
				}
			})
		})
	}
}

// TestStalls: what stalls goes on when the interceptor is removed, and ends when the client gives up.
func TestStalls(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]*wire.Action{
		"request":  {Answer: &wire.Answer{Break: wire.Stall}},
		"response": {Response: &wire.Response{Break: wire.Stall}},
		"lost":     {Response: &wire.Response{Break: wire.Stall, Lost: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
				url := s.RESTConfig().Host + "/api/v1/namespaces/ns/pods/p"
				stalled := make(chan struct{}, 2)
				remove := s.Intercept(wire.InterceptorFunc(func(evidence.Request) *wire.Action {
					stalled <- struct{}{}
					return action
				}))
				impatient, giveUp := context.WithCancel(t.Context())
				go func() {
					<-stalled
					giveUp()
				}()
				if _, _, err := fetch(impatient, c, "GET", url, ""); !errors.Is(err, context.Canceled) {
					t.Errorf("who gives up gets %v", err)
				}
				go func() {
					<-stalled
					remove()
				}()
				if status, text, err := fetch(t.Context(), c, "GET", url, ""); err != nil || status != 200 || !strings.HasSuffix(text, "[1,2,3]}") {
					t.Errorf("who waits gets %d %q %v", status, text, err)
				}
			})
		})
	}
}

// watched reads a watch's events to its end.
func watched(ctx context.Context, c *http.Client, url string) (string, error) {
	_, text, err := fetch(ctx, c, "GET", url, "")
	return text, err
}

func TestWatches(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		url := s.RESTConfig().Host + "/api/v1/namespaces/ns/pods?watch=true"
		for i := range 4 {
			s.more <- fmt.Sprint(i)
		}
		remove := s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Close, Events: 2, Last: []byte("gone\n")}}))
		if text, err := watched(t.Context(), c, url); err != nil || text != "0\n1\ngone\n" {
			t.Errorf("a watch that expires has %q, %v", text, err)
		}
		remove()
		remove = s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Close}}))
		if text, err := watched(t.Context(), c, url); err != nil || text != "" {
			t.Errorf("a watch that is dropped at once has %q, %v", text, err)
		}
		remove()
		remove = s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Reset}}))
		if text, err := watched(t.Context(), c, url); err == nil {
			t.Errorf("a watch that is reset has %q", text)
		}
		remove()
	})
}

// TestSilentWatch: a silent watch holds back what comes, and fires only if something does.
func TestSilentWatch(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		fired := make(chan struct{})
		remove := s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Stall, Events: 1, Done: func() { close(fired) }}}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.RESTConfig().Host+"/api/v1/pods?watch=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		events := json.NewDecoder(resp.Body)
		next := func() (n int) {
			if err := events.Decode(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		s.more <- "1"
		if n := next(); n != 1 {
			t.Errorf("first %d", n)
		}
		select {
		case <-fired:
			t.Error("it fired, though nothing was held back")
		default:
		}
		s.more <- "2"
		<-fired
		remove()
		if n := next(); n != 2 {
			t.Errorf("then %d", n)
		}
	})
}

// TestNoAnswer: an API server that is gone looks like one.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + listener.Addr().String()
	_ = listener.Close()
	id, err := gateway.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t)
	g, err := gateway.Open(&rest.Config{Host: gone}, id, s.rec)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	client, err := rest.HTTPClientFor(g.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := fetch(t.Context(), client, "GET", g.RESTConfig().Host+"/version", ""); err == nil {
		t.Errorf("it answers %d", status)
	}
}

// TestOrder: interceptors are asked in their order, and not beyond one that answers.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	var asked []string
	add := func(name string, a *wire.Action) {
		s.Intercept(wire.InterceptorFunc(func(evidence.Request) *wire.Action {
			asked = append(asked, name)
			return a
		}))
	}
	add("silent", nil)
	add("slow", &wire.Action{Delay: time.Nanosecond})
	add("answers", &wire.Action{Answer: &wire.Answer{Status: 500}})
	add("late", nil)
	if _, _, err := fetch(t.Context(), s.client(false), "GET", s.RESTConfig().Host+"/version", ""); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "silent slow answers" {
		t.Errorf("asked: %s", got)
	}
}
