package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exchange is one request at a time since the beginning, and what is answered.
type exchange struct {
	at      time.Duration
	request string
	code    int    // 0: nothing within a second
	says    string // part of the body
}

func TestCalls(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, test := range map[string]struct {
		config    config
		exchanges []exchange
	}{
		"ready by itself": {exchanges: []exchange{{0, "GET /readyz", 200, "ok"}, {0, "GET /healthz", 200, "ok"}}},
		"late": {config{readyAfter: 2 * s}, []exchange{
			{s, "GET /readyz", 503, "it is not yet ready"}, {s, "GET /healthz", 200, "ok"}, {2 * s, "GET /readyz", 200, "ok"},
		}},
		"told to be ready": {config{fail: true}, []exchange{
			{0, "GET /readyz", 503, "it never becomes ready"}, {s, "POST /control/ready", 200, `"ready":true`}, {s, "GET /readyz", 200, "ok"},
		}},
		"told to be ready later": {config{}, []exchange{
			{s, "POST /control/ready?after=2s", 200, `"ready":false`}, {2 * s, "GET /readyz", 503, "not yet"}, {3 * s, "GET /readyz", 200, "ok"},
		}},
		"told not to be ready": {config{}, []exchange{
			{0, "POST /control/unready", 200, `"why":"it was told not to be ready"`},
			{99 * s, "GET /readyz", 503, "told"},
			{99 * s, "GET /healthz", 200, "ok"},
			{99 * s, "POST /control/ready", 200, ""},
			{99 * s, "GET /readyz", 200, "ok"},
		}},
		"told not to be ready for a while": {config{}, []exchange{
			{0, "POST /control/unready?for=3s", 200, ""}, {2 * s, "GET /readyz", 503, "told"}, {3 * s, "GET /readyz", 200, "ok"},
		}},
		"told to flap": {config{fail: true}, []exchange{
			{0, "POST /control/flap?plan=2s/1s/1", 200, `"ready":true`}, {2 * s, "GET /readyz", 503, "it flaps"}, {3 * s, "GET /readyz", 200, "ok"}, {5 * s, "GET /readyz", 200, "ok"},
		}},
		"told to hang": {config{}, []exchange{
			{0, "POST /control/hang", 200, `"hanging":true`},
			{s, "GET /healthz", 0, ""},
			{5 * s, "GET /readyz", 0, ""},
			{9 * s, "GET /control/state", 200, `"hanging":true`},
			{10 * s, "POST /control/ready", 200, `"hanging":false`},
			{10 * s, "GET /healthz", 200, "ok"},
		}},
		"told to hang for a moment": {config{}, []exchange{
			{0, "POST /control/hang?for=500ms", 200, ""}, {0, "GET /healthz", 200, "ok"}, {s, "GET /readyz", 200, "ok"},
		}},
		"state": {config{part: "db", tag: "v1", readyAfter: 9 * s}, []exchange{
			{s, "GET /control/state", 200, `{"part":"db","tag":"v1","ready":false,"why":"it is not yet ready","hanging":false,"draining":false,"uptime":"1s"}`},
		}},
		"mistakes": {config{}, []exchange{
			{0, "POST /control/ready?after=1", 400, `/control/ready: after="1": want a duration such as 1.5s`},
			{0, "POST /control/unready?after=1s&until=2s", 400, `/control/unready: it takes ["for"], not ["after" "until"]`},
			{0, "POST /control/flap", 400, `/control/flap: plan="": want how long`},
			{0, "POST /control/crash?code=0&after=x", 400, `after="x": want a duration such as 1.5s` + "\n" + `code="0": want an exit code from 1 to 255`},
			{0, "POST /control/exit?code=-1", 400, "from 0 to 255"},
			{0, "POST /control/explode", 404, ""},
			{0, "GET /control/crash", 405, ""},
			{0, "GET /readyz", 200, "ok"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				log, _ := newLog()
				h := newHandler(test.config, newState(test.config, began), log)
				for _, e := range test.exchanges {
					time.Sleep(time.Until(began.Add(e.at)))
					if code, body := ask(t, h, e.request); code != e.code || !strings.Contains(body, e.says) {
						t.Errorf("after %s, %s: %d %q, want %d %q", e.at, e.request, code, body, e.code, e.says)
					}
				}
			})
		})
	}
}

// ask makes a request and gives up after a second, with code 0.
func ask(t *testing.T, h http.Handler, request string) (code int, body string) {
	t.Helper()
	method, target, _ := strings.Cut(request, " ")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, target, http.NoBody))
	if ctx.Err() != nil {
		return 0, w.Body.String()
	}
	return w.Code, w.Body.String()
}

func TestEndings(t *testing.T) {
	t.Parallel()
	const s = time.Second
	three, four := 3*s, 4
	for name, test := range map[string]struct {
		config config
		call   string
		after  time.Duration
		want   ending
	}{
		"crashes":                 {config{crashAfter: &three}, "", 3 * s, ending{1, true}},
		"exits":                   {config{exitAfter: &three}, "", 3 * s, ending{0, false}},
		"exits with a code":       {config{exitAfter: &three, exitCode: &four}, "", 3 * s, ending{4, false}},
		"told to crash":           {config{}, "crash", 0, ending{1, true}},
		"told to crash later":     {config{}, "crash?code=5&after=2s", 2 * s, ending{5, true}},
		"told to exit":            {config{}, "exit", 0, ending{0, false}},
		"told to exit later":      {config{}, "exit?code=5&after=2s", 2 * s, ending{5, false}},
		"the first ending counts": {config{crashAfter: &three}, "exit?after=4s", 3 * s, ending{1, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				log, _ := newLog()
				state := newState(test.config, began)
				if test.call != "" {
					code, body := ask(t, newHandler(test.config, state, log), "POST /control/"+test.call)
					if code != 200 || !json.Valid([]byte(body)) {
						t.Errorf("answer %d %q", code, body)
					}
				}
				got := <-state.ended
				if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(ending{})); diff != "" || time.Since(began) != test.after {
					t.Errorf("after %s, want %s: %s", time.Since(began), test.after, diff)
				}
			})
		})
	}
}
