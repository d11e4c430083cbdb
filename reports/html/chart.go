package html

import (
	"fmt"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

// The geometry of a chart, in the units of its viewBox.
const (
	chartWidth = 1120
	labelWidth = 232
	plotRight  = 1104
	bandHeight = 42
	laneHeight = 26
	barHeight  = 16
	axisHeight = 26
	charWidth  = 6.6
)

// chart draws who had which kstatus when: a lane per object, a band per step.
type chart struct {
	Title string
	// Folded is set if the reader has to open it.
	Folded        bool
	Width, Height int
	Bar           int
	LabelX        int
	Top, Bottom   int
	Bands         []band
	Lanes         []lane
	Ticks         []mark
	Gaps          []mark
	Evidence      []mark
	More          int
	start, end    time.Duration
}

// px is a coordinate; it prints with one digit, so that output does not differ in the last bits of a float.
type px float64

func (p px) String() string { return fmt.Sprintf("%.1f", float64(p)) }

type band struct {
	X, W   px
	Status verdict.Status
	Label  string
	Title  string
	Even   bool
}

type lane struct {
	Y, TextY     int
	Label, Title string
	Bars         []bar
	Marks        []mark
}

type bar struct {
	X, W  px
	TextX px
	Class string
	Text  string
	Title string
}

type mark struct {
	X     px
	Class string
	Text  string
	Title string
}

// The most that is drawn: a page must stay readable, and loadable, whatever the run did.
const (
	mostLanes = 40
	mostBars  = 500
	mostMarks = 60
)

// chartsOf draws the release's own objects that ever were anything but Current, and, folded, all others.
func chartsOf(b *evidence.Bundle, v verdict.Variant) []*chart {
	start, end := spanOf(b)
	if end <= start {
		return nil
	}
	var own, other []*track
	for _, t := range tracksOf(b) {
		if t.own && t.eventful() {
			own = append(own, t)
		} else {
			other = append(other, t)
		}
	}
	var charts []*chart
	for _, c := range []*chart{
		draw("", own, b, v, start, end),
		draw(fmt.Sprintf("%d more objects", len(other)), other, b, v, start, end),
	} {
		if len(c.Lanes) > 0 {
			charts = append(charts, c)
		}
	}
	if len(charts) == 2 || len(own) == 0 && len(charts) == 1 {
		charts[len(charts)-1].Folded = true
	}
	return charts
}

// spanOf is from the first step to the last event, without the time that booting a cluster took.
func spanOf(b *evidence.Bundle) (start, end time.Duration) {
	started := false
	for _, e := range b.Timeline {
		if e.Started != nil && !started {
			start, started = e.At, true
		}
		if e.Phase == nil {
			end = max(end, e.At)
		}
	}
	return start, end
}

func draw(title string, tracks []*track, b *evidence.Bundle, v verdict.Variant, start, end time.Duration) *chart {
	c := &chart{Title: title, Width: chartWidth, Bar: barHeight, LabelX: labelWidth - 10, Top: bandHeight, start: start, end: end}
	if len(tracks) > mostLanes {
		c.More = len(tracks) - mostLanes
		tracks = tracks[:mostLanes]
	}
	for i, t := range tracks {
		c.Lanes = append(c.Lanes, c.lane(i, t))
	}
	c.Bottom = bandHeight + len(tracks)*laneHeight
	c.Height = c.Bottom + axisHeight
	c.Bands = c.bandsOf(b, v)
	c.Ticks = c.ticks()
	for _, e := range b.Timeline {
		if e.Gap != nil {
			c.Gaps = append(c.Gaps, mark{X: c.x(e.At), Title: offset(e.At) + " " + tell(e, b)})
		}
	}
	c.Evidence = c.evidenceOf(b, v)
	return c
}

// x is where a time stands.
func (c *chart) x(at time.Duration) px {
	at = min(max(at, c.start), c.end)
	share := float64(at-c.start) / float64(c.end-c.start)
	return px(labelWidth + share*(plotRight-labelWidth))
}

func (c *chart) bandsOf(b *evidence.Bundle, v verdict.Variant) []band {
	outcome := map[string]verdict.Status{}
	for _, d := range v.Verdicts {
		if d.Kind == "step" {
			outcome[d.Name] = d.Status
		}
	}
	var bands []band
	from := map[string]time.Duration{}
	add := func(name, operation string, to time.Duration) {
		x := c.x(from[name])
		w := c.x(to) - x
		bands = append(bands, band{
			X: x, W: w, Status: outcome[name], Even: len(bands)%2 == 0, Label: fit(name, w),
			Title: fmt.Sprintf("step %s (%s) %s, %s to %s", name, operation, outcome[name], offset(from[name]), offset(to)),
		})
		delete(from, name)
	}
	last := ""
	for _, e := range b.Timeline {
		switch {
		case e.Started != nil:
			from[e.Step], last = e.At, e.Step
		case e.Finished != nil:
			add(e.Step, e.Finished.Operation, e.At)
		}
	}
	if _, open := from[last]; open {
		add(last, "never ended", c.end)
	}
	return bands
}

// ticks are at most ten, at round times.
func (c *chart) ticks() []mark {
	every := c.end - c.start
	for _, unit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour} {
		for _, n := range []time.Duration{1, 2, 5} {
			if d := n * unit; (c.end-c.start)/d <= 10 {
				every = min(every, d)
			}
		}
	}
	var ticks []mark
	for at := c.start.Truncate(every) + every; at <= c.end; at += every {
		ticks = append(ticks, mark{X: c.x(at), Text: "+" + at.String()})
	}
	return ticks
}

// evidenceOf marks the events that verdicts which did not pass rest on.
func (c *chart) evidenceOf(b *evidence.Bundle, v verdict.Variant) []mark {
	var marks []mark
	seen := map[int64]bool{}
	for _, d := range v.Verdicts {
		if d.Status == verdict.Passed || d.Status == verdict.Skipped {
			continue
		}
		for _, seq := range d.Evidence {
			if seen[seq] || seq < 1 || seq > int64(len(b.Timeline)) || len(marks) == mostExcerpt {
				continue
			}
			seen[seq] = true
			e := b.Timeline[seq-1]
			marks = append(marks, mark{X: c.x(e.At), Text: fmt.Sprintf("#%d", seq), Title: fmt.Sprintf("evidence of %q: %s %s", d.Name, offset(e.At), tell(e, b))})
		}
	}
	return marks
}

// fit cuts text to a width, or leaves it out where nothing of use is left.
func fit(text string, width px) string {
	n := int(float64(width-8) / charWidth)
	runes := []rune(text)
	switch {
	case len(runes) <= n:
		return text
	case n < 3:
		return ""
	default:
		return string(runes[:n-1]) + "…"
	}
}
