package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// redrawEvery is how often the live display is drawn anew.
const redrawEvery = 100 * time.Millisecond

// Live is a reporter that redraws a few lines: one for each variant that runs, and the totals. size tells the
// terminal's columns and rows; it is asked before each redraw, since windows change.
func Live(w io.Writer, size func() (columns, rows int, err error), colour bool) Reporter {
	l := &live{w: w, size: size, began: time.Now(), phases: &phases{}, stop: make(chan struct{}), stopped: make(chan struct{})}
	if colour {
		l.palette = colours()
	}
	go l.redraw()
	return l
}

type live struct {
	w       io.Writer
	size    func() (int, int, error)
	palette palette
	began   time.Time

	mu     sync.Mutex
	news   track
	tracks []*track // in the order of their start
	total  int      // variants; 0 if that is not known
	done   []verdict.Status
	phases *phases
	drawn  int // lines on the screen that the next redraw replaces
	closed bool
	told   bool // Finish has told the summary

	stop    chan struct{}
	stopped chan struct{}
}

// track is one line: a variant under way, or what the run as a whole is at.
type track struct {
	variant string
	steps   int
	step    int // the number of the step under way
	what    string
	since   time.Time
	waiting string
}

func (l *live) redraw() {
	defer close(l.stopped)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
			l.mu.Lock()
			l.draw("")
			l.mu.Unlock()
		}
	}
}

func (l *live) Report(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.afterwards(e)
		return
	}
	l.phases.note(e)
	if e.Kind == PhaseFinished && l.phases.idle() {
		l.news = track{} // such as that a cluster is ready, which does not go on
	}
	switch {
	case e.Kind == Said:
		l.draw(oneLine(e.Detail) + "\n")
	case e.Variant == "":
		l.ofRun(e)
	case e.Kind == Finished:
		l.tracks = slices.DeleteFunc(l.tracks, func(t *track) bool { return t.variant == e.Variant })
		l.done = append(l.done, e.Status)
		l.draw(l.finished(e))
	default:
		l.track(e.Variant).follow(e)
		if e.Kind == StepStarted {
			l.news = track{}
		}
	}
}

// ofRun keeps what the run as a whole is at, for example booting a cluster, until that is over or a step begins.
func (l *live) ofRun(e Event) {
	switch e.Kind {
	case Started:
		l.total, l.news = e.Total, track{}
	case PhaseStarted:
		l.news.begin(e.Name)
	case Waiting:
		l.news.begin(oneLine(e.Detail))
	}
}

// afterwards tells, as a line of its own, what concerns the user after the summary: that a run is kept, and its clean-up.
func (l *live) afterwards(e Event) {
	if !l.told || e.Variant != "" || e.Kind != Said && e.Kind != Waiting || e.Kind == Waiting && l.news.what == oneLine(e.Detail) {
		return
	}
	l.news.begin(oneLine(e.Detail))
	_, _ = io.WriteString(l.w, l.news.what+"\n")
}

func (t *track) follow(e Event) {
	switch e.Kind {
	case Started:
		t.steps = e.Total
	case PhaseStarted:
		t.begin(e.Name)
	case StepStarted:
		t.step++
		t.begin(e.Name + " (" + e.Detail + ")")
	case Waiting:
		t.waiting = e.Detail
	case PhaseFinished, StepFinished:
		t.begin("")
	}
}

// finished is the line that stays on the screen for a variant.
func (l *live) finished(e Event) string {
	columns, _, err := l.size()
	if err != nil {
		columns = 80
	}
	text := fmt.Sprintf("%s  %s%s", e.Variant, short(e.Took), because(oneLine(e.Detail)))
	return l.palette.paint(e.Status, symbol(e.Status)) + " " + clip(text, columns-3) + "\n"
}

func (t *track) begin(what string) { t.what, t.since, t.waiting = what, time.Now(), "" }

func (l *live) track(variant string) *track {
	for _, t := range l.tracks {
		if t.variant == variant {
			return t
		}
	}
	t := &track{variant: variant, since: time.Now()}
	l.tracks = append(l.tracks, t)
	return t
}

// draw replaces the lines drawn before by above, which stays, and the present lines. It is one write, so that nothing
// flickers.
func (l *live) draw(above string) {
	if l.closed {
		return
	}
	columns, rows, err := l.size()
	if err != nil {
		columns, rows = 80, 24
	}
	lines := l.lines(columns-1, rows-1)
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\r\x1b[J" + above)
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	l.drawn = len(lines)
	_, _ = io.WriteString(l.w, b.String())
}

// lines are the present lines, cut to the terminal. A line that wrapped would spoil the next redraw.
func (l *live) lines(columns, rows int) []string {
	shown := l.tracks
	if most := max(1, rows-3); len(shown) > most {
		shown = shown[:most]
	}
	widest := 0
	for _, t := range shown {
		widest = max(widest, len([]rune(t.variant)))
	}
	widest = min(widest, columns/2)
	var lines []string
	if l.news != (track{}) {
		lines = append(lines, l.line(&l.news, 0, columns))
	}
	for _, t := range shown {
		lines = append(lines, l.line(t, widest, columns))
	}
	if hidden := len(l.tracks) - len(shown); hidden > 0 {
		lines = append(lines, l.palette.paint(dim, clip(fmt.Sprintf("  … and %d more", hidden), columns)))
	}
	return append(lines, l.palette.paint(dim, clip(l.footer(), columns)))
}

func (l *live) line(t *track, widest, columns int) string {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	frame := frames[int(time.Since(l.began)/redrawEvery)%len(frames)]
	text := string(frame)
	if t.variant != "" {
		text += fmt.Sprintf(" %-*s", widest, clip(t.variant, widest))
	}
	if t.steps > 0 {
		text += fmt.Sprintf("  %d/%d", t.step, t.steps)
	}
	if t.what != "" {
		text += fmt.Sprintf("  %s %s", t.what, seconds(time.Since(t.since)))
	}
	bright := len([]rune(text))
	if t.waiting != "" {
		text += "  " + oneLine(t.waiting)
	}
	runes := []rune(clip(text, columns))
	bright = min(bright, len(runes))
	return string(runes[:bright]) + l.palette.paint(dim, string(runes[bright:]))
}

func (l *live) footer() string {
	text := fmt.Sprintf("  %d", len(l.done))
	if l.total > 0 {
		text += fmt.Sprintf(" of %d", l.total)
	}
	text += " done"
	if n := counts(l.done); n != "" {
		text += ": " + n
	}
	return text + ", " + seconds(time.Since(l.began))
}

func seconds(d time.Duration) string { return d.Truncate(time.Second).String() }

func (l *live) Finish(run verdict.Run, report string) {
	first := l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case first:
		l.told = true
		_, _ = io.WriteString(l.w, "\n"+summary(run, report, l.phases.String(), l.palette))
	case l.told:
		_, _ = io.WriteString(l.w, leftovers(run, l.palette))
	}
}

func (l *live) Close() { l.end() }

// end removes the live lines and waits for the goroutine. It reports whether it was the first to do so.
func (l *live) end() bool {
	l.mu.Lock()
	first := !l.closed
	if first {
		if l.drawn > 0 {
			_, _ = fmt.Fprintf(l.w, "\x1b[%dA\r\x1b[J", l.drawn)
		}
		l.closed = true
		close(l.stop)
	}
	l.mu.Unlock()
	<-l.stopped
	return first
}
