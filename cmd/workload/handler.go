package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	controlPath = "/control/"
	statePath   = controlPath + "state"
)

// call is one thing that serve can be told to do.
type call struct {
	name, form, about string
	// do reads the query and returns what to do if that has no mistakes.
	do func(q *query) action
}

// action changes the state or ends the program, once the call has been answered.
type action struct {
	change func(s *state, now time.Time)
	after  time.Duration
	end    *ending
}

// calls is the one list of them: usage and dispatch come from here.
func calls() []call {
	return []call{
		{"ready", "?after=DURATION", "ready from now or then on; whatever came before is over", func(q *query) action {
			after := q.duration("after")
			return action{change: func(s *state, now time.Time) {
				s.plan, s.held, s.hung = plan{began: now, after: after}, span{}, span{}
			}}
		}},
		{"unready", "?for=DURATION", "not ready, then as it would be by then; without a duration for good", func(q *query) action {
			d := q.duration("for")
			return action{change: func(s *state, now time.Time) { s.held = spanFor(now, d) }}
		}},
		{"flap", "?plan=READY/UNREADY[/TIMES]", "ready and not ready in turn, from now on", func(q *query) action {
			f := q.flap("plan")
			return action{change: func(s *state, now time.Time) { s.plan, s.held = plan{began: now, flap: f}, span{} }}
		}},
		{"hang", "?for=DURATION", "answers no probe; without a duration for good", func(q *query) action {
			d := q.duration("for")
			return action{change: func(s *state, now time.Time) { s.hung = spanFor(now, d) }}
		}},
		{"crash", "?code=CODE&after=DURATION", "ends at once with an exit code, 1 if not given", func(q *query) action {
			return action{after: q.duration("after"), end: &ending{code: q.code("code", 1), crash: true}}
		}},
		{"exit", "?code=CODE&after=DURATION", "ends as if told to, with an exit code, 0 if not given", func(q *query) action {
			return action{after: q.duration("after"), end: &ending{code: q.code("code", 0)}}
		}},
	}
}

// handler answers probes and calls.
type handler struct {
	config config
	state  *state
	log    *slog.Logger
	began  time.Time
}

func newHandler(c config, s *state, log *slog.Logger) http.Handler {
	h := &handler{config: c, state: s, log: log, began: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", h.probe(func(v view) (bool, string) { return v.ready, v.why }))
	mux.HandleFunc("GET /healthz", h.probe(func(view) (bool, string) { return true, "" }))
	mux.HandleFunc("GET "+statePath, func(w http.ResponseWriter, _ *http.Request) { h.answer(w) })
	for _, c := range calls() {
		mux.HandleFunc("POST "+controlPath+c.name, h.control(c))
	}
	return mux
}

// probe answers what a kubelet asks, unless it hangs: then only once that is over.
func (h *handler) probe(ok func(view) (bool, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := h.state.look()
		for ; v.hanging; v = h.state.look() {
			if !v.wait(r.Context()) {
				return
			}
		}
		if ok, why := ok(v); !ok {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

func (h *handler) control(c call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := &query{values: r.URL.Query()}
		do := c.do(q)
		if err := q.err(); err != nil {
			http.Error(w, fmt.Sprintf("%s%s: %v", controlPath, c.name, err), http.StatusBadRequest)
			return
		}
		h.log.Info("told", "call", r.URL.RequestURI())
		if do.change != nil {
			h.state.update(do.change)
		}
		h.answer(w)
		if do.end != nil {
			h.state.end(do.after, *do.end)
		}
	}
}

// status is the state as others see it.
type status struct {
	Part     string `json:"part"`
	Tag      string `json:"tag"`
	Ready    bool   `json:"ready"`
	Why      string `json:"why,omitempty"`
	Hanging  bool   `json:"hanging"`
	Draining bool   `json:"draining"`
	Uptime   string `json:"uptime"`
}

// answer sends the state, all of it before it returns: the program may end right after.
func (h *handler) answer(w http.ResponseWriter) {
	v := h.state.look()
	body, err := json.Marshal(status{
		Part: h.config.part, Tag: h.config.tag,
		Ready: v.ready, Why: v.why, Hanging: v.hanging, Draining: v.draining,
		Uptime: time.Since(h.began).Round(time.Millisecond).String(),
	})
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body))) // or an end of the body would follow on return
		_, err = w.Write(body)
	}
	if err = errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
		h.log.Warn("cannot answer", "error", err)
	}
}

// query reads the parameters of a call and collects all mistakes.
type query struct {
	values   url.Values
	known    []string
	problems []error
}

// get returns the value of a parameter, "" if it is not there.
func (q *query) get(name string) string {
	q.known = append(q.known, name)
	return q.values.Get(name)
}

func (q *query) check(name string, err error) {
	if err != nil {
		q.problems = append(q.problems, fmt.Errorf("%s=%q: %w", name, q.values.Get(name), err))
	}
}

func (q *query) duration(name string) (d time.Duration) {
	if value := q.get(name); value != "" {
		var err error
		d, err = parseDuration(value)
		q.check(name, err)
	}
	return d
}

// code returns an exit code, by default the least one that there may be.
func (q *query) code(name string, least int) int {
	code := least
	if value := q.get(name); value != "" {
		var err error
		code, err = parseCode(value, least)
		q.check(name, err)
	}
	return code
}

func (q *query) flap(name string) flap {
	f, err := parseFlap(q.get(name))
	q.check(name, err)
	return f
}

func (q *query) err() error {
	var unknown []string
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			unknown = append(unknown, name)
		}
	}
	if slices.Sort(unknown); len(unknown) > 0 {
		q.problems = append(q.problems, fmt.Errorf("it takes %q, not %q", q.known, unknown))
	}
	return errors.Join(q.problems...)
}
