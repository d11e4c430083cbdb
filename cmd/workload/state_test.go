package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	began := time.Unix(1000, 0)
	late := plan{began: began, after: 3 * time.Second}
	flaps := plan{began: began, after: time.Second, flap: flap{ready: 5 * time.Second, unready: 2 * time.Second}}
	twice := flaps
	twice.flap.times = 2
	for name, test := range map[string]struct {
		plan   plan
		at     time.Duration
		ready  bool
		change time.Duration // since began; 0 stands for never
	}{
		"at once":                     {plan{began: began}, 0, true, 0},
		"never":                       {plan{began: began, never: true}, time.Hour, false, 0},
		"too early":                   {late, 2999 * time.Millisecond, false, 3 * time.Second},
		"late":                        {late, 3 * time.Second, true, 0},
		"before it flaps":             {flaps, 0, false, time.Second},
		"ready for the first time":    {flaps, time.Second, true, 6 * time.Second},
		"unready for the first time":  {flaps, 6 * time.Second, false, 8 * time.Second},
		"ready for the second time":   {flaps, 8 * time.Second, true, 13 * time.Second},
		"unready for the second time": {flaps, 14 * time.Second, false, 15 * time.Second},
		"flaps for good":              {flaps, 7001 * time.Second, true, 7006 * time.Second},
		"the last time":               {twice, 14 * time.Second, false, 15 * time.Second},
		"flapped enough":              {twice, 15 * time.Second, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready, why, change := test.plan.at(began.Add(test.at))
			var want time.Time
			if test.change != 0 {
				want = began.Add(test.change)
			}
			if ready != test.ready || !change.Equal(want) || ready != (why == "") {
				t.Errorf("ready: %v (%q) until %s; want %v until %s", ready, why, change, test.ready, want)
			}
		})
	}
}

// The log holds every change at the time of the change, also if nobody asks.
func TestWatch(t *testing.T) {
	t.Parallel()
	second := time.Second
	for name, test := range map[string]struct {
		config config
		// told is what happens after three seconds.
		told func(s *state, now time.Time)
		want string
	}{
		"ready": {want: "0s ready"},
		"never": {config: config{fail: true}, want: "0s not ready: it never becomes ready"},
		"late":  {config: config{readyAfter: 2 * second}, want: "0s not ready: it is not yet ready, 2s ready"},
		"flaps": {
			config: config{readyAfter: second, flap: flap{ready: 4 * second, unready: second, times: 2}},
			want:   "0s not ready: it is not yet ready, 1s ready, 5s not ready: it flaps, 6s ready, 10s not ready: it flaps, 11s ready",
		},
		"told not to be ready": {
			told: func(s *state, now time.Time) { s.held = spanFor(now, 2*second) },
			want: "0s ready, 3s not ready: it was told not to be ready, 5s ready",
		},
		"told not to be ready for good": {
			told: func(s *state, now time.Time) { s.held = spanFor(now, 0) },
			want: "0s ready, 3s not ready: it was told not to be ready",
		},
		"told so while it flaps": {
			config: config{flap: flap{ready: 2 * second, unready: 4 * second, times: 1}},
			told:   func(s *state, now time.Time) { s.held = spanFor(now, 2*second) },
			want:   "0s ready, 2s not ready: it flaps, 3s not ready: it was told not to be ready, 5s not ready: it flaps, 6s ready",
		},
		"hangs later": {config: config{hangAfter: &second}, want: "0s ready, 1s hanging"},
		"hangs for a while": {
			told: func(s *state, now time.Time) { s.hung = spanFor(now, 2*second) },
			want: "0s ready, 3s hanging, 5s ready",
		},
		"ends": {told: func(s *state, _ time.Time) { s.draining = true }, want: "0s ready, 3s not ready: it is ending"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := newState(test.config, began)
				log, lines := newLog()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if test.told != nil {
					time.AfterFunc(3*second, func() { s.update(test.told) })
				}
				s.watch(ctx, log)
				if diff := cmp.Diff(test.want, strings.Join(lines(began), ", ")); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// newLog returns a log, and what returns its lines, each with when it was written.
func newLog() (log *slog.Logger, lines func(began time.Time) []string) {
	var out bytes.Buffer
	brief := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}
	log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: brief}))
	return log, func(began time.Time) []string {
		var all []string
		for line := range strings.Lines(out.String()) {
			stamp, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "time="), " ")
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil {
				all = append(all, err.Error())
				continue
			}
			all = append(all, at.Sub(began).String()+" "+strings.Trim(strings.TrimPrefix(rest, "msg="), `"`))
		}
		return all
	}
}
