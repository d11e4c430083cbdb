package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// waitingEvery is how often, at most, plain lines tell what a variant waits for.
const waitingEvery = 5 * time.Second

// stillEvery is how often they tell again what it goes on to wait for: a log that is silent looks like one that hangs.
const stillEvery = 30 * time.Second

// Plain is a reporter that writes one line per event, with the time since it was made.
func Plain(w io.Writer) Reporter {
	return &plain{w: w, began: time.Now(), waited: map[string]wait{}, phases: &phases{}}
}

type plain struct {
	w     io.Writer
	began time.Time

	mu     sync.Mutex
	waited map[string]wait
	phases *phases
	told   bool // Finish was called
}

// wait is what a variant was last heard to wait for.
type wait struct {
	text  string
	since time.Time // when it began
	heard time.Time // when it was heard last
	told  time.Time // when anything was told last
	said  bool      // it was told
}

func (p *plain) Report(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phases.note(e)
	line, ok := p.line(e)
	if !ok {
		return
	}
	if e.Variant != "" {
		line = e.Variant + ": " + line
	}
	p.print(line)
}

func (p *plain) line(e Event) (string, bool) {
	switch e.Kind {
	case Started:
		if e.Variant == "" {
			return count(e.Total, "variant") + " to rehearse", true
		}
		return "started, " + count(e.Total, "step"), true
	case PhaseStarted:
		return e.Name, true
	case PhaseFinished:
		return fmt.Sprintf("%s took %s", e.Name, short(e.Took)), true
	case StepStarted:
		delete(p.waited, e.Variant)
		return fmt.Sprintf("step %s (%s)", e.Name, e.Detail), true
	case StepFinished:
		return fmt.Sprintf("step %s %s in %s%s", e.Name, e.Status, short(e.Took), because(e.Detail)), true
	case Waiting:
		return p.waiting(e)
	case Said:
		return e.Detail, true
	case Finished:
		delete(p.waited, e.Variant)
		return fmt.Sprintf("%s in %s%s", e.Status, short(e.Took), because(e.Detail)), true
	}
	return "", false
}

// waiting holds back what a variant waits for if something was told a moment ago, or the same not long ago. What was not
// heard of for a while, or was something else in between, begins anew.
func (p *plain) waiting(e Event) (string, bool) {
	w, now := p.waited[e.Variant], time.Now()
	if w.text != e.Detail || now.Sub(w.heard) >= waitingEvery {
		w.text, w.since, w.said = e.Detail, now, false
	}
	w.heard = now
	line, silent := "", now.Sub(w.told)
	switch {
	case !w.said && (e.Variant == "" || silent >= waitingEvery):
		line = e.Detail
	case w.said && silent >= stillEvery:
		line = fmt.Sprintf("still, after %s: %s", short(now.Sub(w.since)), e.Detail)
	}
	if line != "" {
		w.told, w.said = now, true
	}
	p.waited[e.Variant] = w
	return line, line != ""
}

func (p *plain) print(line string) {
	// A user who closed the pipe has stopped listening; the run goes on.
	_, _ = fmt.Fprintf(p.w, "%7.1fs  %s\n", time.Since(p.began).Seconds(), oneLine(line))
}

func (p *plain) Finish(run verdict.Run, report string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told {
		_, _ = io.WriteString(p.w, leftovers(run, palette{}))
		return
	}
	p.told = true
	_, _ = io.WriteString(p.w, "\n"+summary(run, report, p.phases.String(), palette{}))
}

func (p *plain) Close() {}
