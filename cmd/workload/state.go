package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// plan says when the workload is ready.
type plan struct {
	began time.Time
	never bool
	after time.Duration
	flap  flap
}

// flap is being ready and not ready in turn, a number of times or, if that is 0, for good.
type flap struct {
	ready, unready time.Duration
	times          int
}

// at tells whether it is ready at a time, why not, and when that changes; a zero time means never.
func (p plan) at(now time.Time) (ready bool, why string, change time.Time) {
	first := p.began.Add(p.after)
	switch {
	case p.never:
		return false, "it never becomes ready", time.Time{}
	case now.Before(first):
		return false, "it is not yet ready", first
	case p.flap == flap{}:
		return true, "", time.Time{}
	}
	period := p.flap.ready + p.flap.unready
	round := int(now.Sub(first) / period)
	if p.flap.times > 0 && round >= p.flap.times {
		return true, "", time.Time{}
	}
	begin := first.Add(time.Duration(round) * period)
	if until := begin.Add(p.flap.ready); now.Before(until) {
		return true, "", until
	}
	return false, "it flaps", begin.Add(period)
}

// span is a time from a beginning to an end; a zero end means for good, a zero beginning that there is no such time.
type span struct{ from, until time.Time }

func (s span) has(now time.Time) bool {
	return !s.from.IsZero() && !now.Before(s.from) && (s.until.IsZero() || now.Before(s.until))
}

// nextChange returns the next time at which has changes.
func (s span) nextChange(now time.Time) time.Time {
	switch {
	case now.Before(s.from):
		return s.from
	case s.has(now):
		return s.until
	}
	return time.Time{}
}

// spanFor begins now and lasts for some time or, if that is 0, for good.
func spanFor(now time.Time, d time.Duration) span {
	if d == 0 {
		return span{from: now}
	}
	return span{from: now, until: now.Add(d)}
}

// state is what serve is doing. Most of it follows from the time, and nothing runs to keep it up to date.
type state struct {
	ended chan ending

	mu       sync.Mutex
	plan     plan
	held     span // not ready, whatever the plan says
	hung     span // answers no probe
	draining bool
	changed  chan struct{} // closed at the next change that does not come with time
}

// ending is how the program ends: as if told to, or at once.
type ending struct {
	code  int
	crash bool
}

// view is the state at one time.
type view struct {
	ready    bool
	why      string
	hanging  bool
	draining bool
	change   time.Time
	changed  <-chan struct{}
}

func newState(c config, now time.Time) *state {
	s := &state{
		ended:   make(chan ending, 1),
		plan:    plan{began: now, never: c.fail, after: c.readyAfter, flap: c.flap},
		changed: make(chan struct{}),
	}
	if c.hangAfter != nil {
		s.hung.from = now.Add(*c.hangAfter)
	}
	if c.crashAfter != nil {
		s.end(*c.crashAfter, ending{code: exitFailed, crash: true})
	}
	if c.exitAfter != nil {
		e := ending{}
		if c.exitCode != nil {
			e.code = *c.exitCode
		}
		s.end(*c.exitAfter, e)
	}
	return s
}

// end ends the program after some time. The first ending counts.
func (s *state) end(after time.Duration, e ending) {
	time.AfterFunc(after, func() {
		select {
		case s.ended <- e:
		default:
		}
	})
}

// update changes the state and tells all who wait for that.
func (s *state) update(change func(s *state, now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s, time.Now())
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *state) look() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	v := view{hanging: s.hung.has(now), draining: s.draining, changed: s.changed}
	v.ready, v.why, v.change = s.plan.at(now)
	if s.held.has(now) {
		v.ready, v.why = false, "it was told not to be ready"
	}
	if s.draining {
		v.ready, v.why = false, "it is ending"
	}
	for _, other := range []time.Time{s.held.nextChange(now), s.hung.nextChange(now)} {
		if v.change.IsZero() || (!other.IsZero() && other.Before(v.change)) {
			v.change = other
		}
	}
	return v
}

// wait returns once something may have changed, or false if ctx ended.
func (v view) wait(ctx context.Context) bool {
	var due <-chan time.Time
	if !v.change.IsZero() {
		timer := time.NewTimer(time.Until(v.change))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-due:
	case <-v.changed:
	}
	return true
}

// watch logs every change of readiness until ctx ends.
func (s *state) watch(ctx context.Context, log *slog.Logger) {
	was := ""
	for {
		v := s.look()
		now := v.String()
		if now != was {
			log.Info(now)
		}
		was = now
		if !v.wait(ctx) {
			return
		}
	}
}

// String describes readiness as the log has it.
func (v view) String() string {
	switch {
	case v.hanging:
		return "hanging"
	case v.ready:
		return "ready"
	}
	return "not ready: " + v.why
}
