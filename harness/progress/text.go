package progress

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// palette holds the colours of statuses, as SGR parameters; an empty one colours nothing.
type palette map[verdict.Status]string

// dim is no verdict's colour but that of secondary text.
const dim verdict.Status = "dim"

func colours() palette {
	return palette{
		verdict.Passed: "32", verdict.Failed: "1;31", verdict.Errored: "1;35", verdict.Inconclusive: "33",
		verdict.Skipped: "2", dim: "2",
	}
}

func (p palette) paint(s verdict.Status, text string) string {
	if p[s] == "" || text == "" {
		return text
	}
	return "\x1b[" + p[s] + "m" + text + "\x1b[0m"
}

func symbol(s verdict.Status) string {
	switch s {
	case verdict.Passed:
		return "✓"
	case verdict.Failed:
		return "✗"
	case verdict.Errored:
		return "!"
	case verdict.Inconclusive:
		return "?"
	default:
		return "-"
	}
}

// tally says in a few words why a variant did not pass.
func tally(v verdict.Variant) string {
	if v.Status == verdict.Passed {
		return ""
	}
	if v.Reason != "" {
		return v.Reason
	}
	var all []verdict.Status
	for _, d := range v.Verdicts {
		if d.Status != verdict.Passed {
			all = append(all, d.Status)
		}
	}
	return counts(all)
}

// counts is, for example, "2 failed, 1 skipped", the gravest first.
func counts(all []verdict.Status) string {
	n := map[verdict.Status]int{}
	for _, s := range all {
		n[s]++
	}
	var parts []string
	for _, s := range []verdict.Status{verdict.Failed, verdict.Errored, verdict.Inconclusive, verdict.Passed, verdict.Skipped} {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// oneLine also takes out colours and control characters: what a cluster says must not move the cursor.
func oneLine(s string) string {
	s = escapes.ReplaceAllString(s, "")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}

// escapes are the sequences that colour text or move the cursor.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// short rounds a duration to what a reader takes in.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// clip cuts text to a number of columns.
func clip(s string, columns int) string {
	runes := []rune(s)
	if len(runes) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	return string(runes[:columns-1]) + "…"
}

// phases adds up for how long each part of a run was under way in at least one variant, so that what variants do at
// the same time counts once.
type phases struct {
	names []string
	spans map[string]*span
}

type span struct {
	active int
	began  time.Time
	took   time.Duration
}

func (p *phases) note(e Event) {
	switch e.Kind {
	case PhaseStarted:
		p.begin(e.Name)
	case StepStarted:
		p.begin("steps")
	case PhaseFinished:
		p.end(e.Name)
	case StepFinished:
		p.end("steps")
	}
}

func (p *phases) begin(name string) {
	s := p.spans[name]
	if s == nil {
		s = &span{}
		if p.spans == nil {
			p.spans = map[string]*span{}
		}
		p.spans[name] = s
		p.names = append(p.names, name)
	}
	if s.active == 0 {
		s.began = time.Now()
	}
	s.active++
}

func (p *phases) end(name string) {
	s := p.spans[name]
	if s == nil || s.active == 0 {
		return
	}
	if s.active--; s.active == 0 {
		s.took += time.Since(s.began)
	}
}

// idle reports whether no phase is under way.
func (p *phases) idle() bool {
	for _, s := range p.spans {
		if s.active > 0 {
			return false
		}
	}
	return true
}

func (p *phases) String() string {
	parts := make([]string, len(p.names))
	for i, name := range p.names {
		parts[i] = name + " " + short(p.spans[name].took)
	}
	return strings.Join(parts, ", ")
}
