package html

import (
	"fmt"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/reports/internal/page"
)

// track is what the timeline says about one object.
type track struct {
	label string
	// own is set if a revision's manifest has the object.
	own   bool
	spans []statusSpan
	marks []evidence.Event
}

type statusSpan struct {
	status, message string
	from            time.Duration
}

// eventful tells whether there is more to see than an object that was Current from the start.
func (t *track) eventful() bool {
	if len(t.marks) > 0 {
		return true
	}
	for _, s := range t.spans {
		if s.status != "Current" && s.status != "NotFound" {
			return true
		}
	}
	return false
}

// tracksOf returns the objects in the order in which they came to be.
func tracksOf(b *evidence.Bundle) []*track {
	own := manifestOf(b)
	byKey := map[string]*track{}
	all := faultTracks(b)
	find := func(r evidence.Ref) *track {
		key := r.Group + "|" + r.Namespace + "|" + r.String()
		if byKey[key] == nil {
			byKey[key] = &track{label: r.String(), own: own[r.Group+"|"+r.String()]}
			all = append(all, byKey[key])
		}
		return byKey[key]
	}
	for _, e := range b.Timeline {
		switch {
		case e.Transition != nil:
			t := find(e.Transition.Ref)
			t.spans = append(t.spans, statusSpan{e.Transition.To, e.Transition.Message, e.At})
		case e.Write != nil:
			t := find(e.Write.Ref)
			t.marks = append(t.marks, e)
		case e.KubeEvent != nil && e.KubeEvent.Type == "Warning":
			t := find(e.KubeEvent.Regarding)
			t.marks = append(t.marks, e)
		case e.Readiness != nil:
			t := find(workloadOf(e.Readiness))
			t.marks = append(t.marks, e)
		}
	}
	return all
}

// active is the status of a fault, on a lane of its own, from its injection until it was seen to have recovered.
const active = "Active"

// faultTracks returns the faults in the order in which they were injected.
func faultTracks(b *evidence.Bundle) []*track {
	byName := map[string]*track{}
	var all []*track
	for _, e := range b.Timeline {
		if e.Fault == nil {
			continue
		}
		t := byName[e.Fault.Name]
		if t == nil {
			t = &track{label: "fault " + e.Fault.Name, own: true}
			byName[e.Fault.Name] = t
			all = append(all, t)
		}
		switch e.Fault.Phase {
		case evidence.FaultInjected:
			t.spans = append(t.spans, statusSpan{active, e.Fault.Kind, e.At})
		case evidence.FaultRecoverySeen:
			t.spans = append(t.spans, statusSpan{"NotFound", "", e.At})
		case evidence.FaultFired, evidence.FaultFailed, evidence.FaultUnavailable:
			t.marks = append(t.marks, e)
		}
	}
	return all
}

// workloadOf shows a decision about a pod on the lane of its workload, which is where a reader looks.
func workloadOf(r *evidence.Readiness) evidence.Ref {
	kind, name, _ := strings.Cut(r.Workload, "/")
	ref := evidence.Ref{Kind: kind, Name: name, Namespace: r.Pod.Namespace}
	switch kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		ref.Group = "apps"
	case "Job":
		ref.Group = "batch"
	}
	return ref
}

func manifestOf(b *evidence.Bundle) map[string]bool {
	own := map[string]bool{}
	for _, s := range b.Snapshots {
		for _, r := range s.Ledger.Revisions {
			for _, o := range r.Manifest {
				meta, _ := o["metadata"].(map[string]any)
				group, _, found := strings.Cut(fmt.Sprint(o["apiVersion"]), "/")
				if !found {
					group = ""
				}
				own[fmt.Sprintf("%s|%v/%v", group, o["kind"], meta["name"])] = true
			}
		}
	}
	return own
}

func (c *chart) lane(i int, t *track) lane {
	y := bandHeight + i*laneHeight
	l := lane{Y: y + (laneHeight-barHeight)/2, TextY: y + laneHeight/2 + 4, Label: fit(t.label, labelWidth-8), Title: t.label}
	for _, e := range t.marks[:min(len(t.marks), mostMarks)] {
		l.Marks = append(l.Marks, markOf(e, c.x(e.At)))
	}
	for n, s := range t.spans {
		to := c.end
		if n+1 < len(t.spans) {
			to = t.spans[n+1].from
		}
		if s.status == "NotFound" || to <= c.start {
			continue
		}
		if len(l.Bars) == mostBars {
			l.Title += "; only its first transitions are drawn"
			break
		}
		l.Bars = append(l.Bars, c.bar(t, s, to, l.Marks))
	}
	return l
}

func (c *chart) bar(t *track, s statusSpan, to time.Duration, marks []mark) bar {
	x := c.x(s.from)
	// A transition of a few milliseconds must not vanish.
	w := max(c.x(to)-x, 1.5)
	return bar{
		X: x, TextX: x + 6, W: w, Class: class(s.status), Text: whole(s.status, x, w, marks),
		Title: fmt.Sprintf("%s %s, %s to %s (%s)%s", t.label, s.status, offset(s.from), offset(to), page.Short(to-s.from), because(s.message)),
	}
}

func markOf(e evidence.Event, x px) mark {
	m := mark{X: x, Title: offset(e.At) + " " + tell(e, nil)}
	switch {
	case e.Write != nil:
		m.Class, m.Text = "write", "◆"
	case e.KubeEvent != nil:
		m.Class, m.Text = "warning", "▲"
	case e.Fault != nil:
		m.Class, m.Text = "fault", "✕"
	default:
		m.Class, m.Text = "readiness", "●"
	}
	return m
}

// whole shows a status only where all of it can be read.
func whole(status string, x, w px, marks []mark) string {
	if fit(status, w) != status {
		return ""
	}
	end := x + px(len(status))*charWidth + 10
	for _, m := range marks {
		if m.X >= x && m.X <= end {
			return ""
		}
	}
	return status
}

// class is a style of style.css; what is no kstatus is drawn as Unknown.
func class(status string) string {
	switch status {
	case "InProgress", "Current", "Failed", "Terminating", active:
		return status
	default:
		return "Unknown"
	}
}
