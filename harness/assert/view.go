package assert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/ref"
)

// View is a bundle with what the assertions ask of it again and again.
type View struct {
	Bundle *evidence.Bundle

	windows map[string]*window
	// tracks hold what the timeline says of each object, by reference without version and UID.
	tracks map[evidence.Ref]*track
	// planned are the names of the steps without those of finally, and finally these.
	planned, finally []string
	// endedBy is the step whose outcome ended the run; empty if none did.
	endedBy string
}

// window is what the timeline holds of one step.
type window struct {
	started, finished *evidence.Event
	// events are those recorded while the step was under way.
	events []*evidence.Event
}

// track is what the timeline holds of one object.
type track struct {
	// versions and moves are its object versions and its transitions.
	versions, moves []*evidence.Event
}

// NewView indexes a bundle, whose last planned steps, so many, are those of finally.
func NewView(b *evidence.Bundle, finally int) *View {
	cut := max(0, len(b.Variant.Steps)-finally)
	v := &View{
		Bundle: b, windows: map[string]*window{}, tracks: map[evidence.Ref]*track{},
		planned: b.Variant.Steps[:cut], finally: b.Variant.Steps[cut:],
	}
	for i := range b.Timeline {
		v.index(&b.Timeline[i])
	}
	for _, step := range v.planned {
		if w := v.windows[step]; v.endedBy == "" && w.ended() && (w.finished.Finished.Mismatch != "" || w.finished.Finished.Errored) {
			v.endedBy = step
		}
	}
	return v
}

func (v *View) index(e *evidence.Event) {
	switch {
	case e.Object != nil:
		t := v.trackOf(e.Object.Ref)
		t.versions = append(t.versions, e)
	case e.Transition != nil:
		t := v.trackOf(e.Transition.Ref)
		t.moves = append(t.moves, e)
	}
	if e.Step == "" {
		return
	}
	w := v.windows[e.Step]
	if w == nil {
		w = &window{}
		v.windows[e.Step] = w
	}
	w.events = append(w.events, e)
	switch {
	case e.Started != nil:
		w.started = e
	case e.Finished != nil:
		w.finished = e
	}
}

func (v *View) trackOf(r evidence.Ref) *track {
	r.Version, r.UID = "", ""
	t := v.tracks[r]
	if t == nil {
		t = &track{}
		v.tracks[r] = t
	}
	return t
}

// track joins what the timeline holds of the objects that fit, as a rule one.
func (v *View) track(fits func(evidence.Ref) bool) track {
	var all track
	several := 0
	for r, t := range v.tracks {
		if fits(r) {
			all.versions = append(all.versions, t.versions...)
			all.moves = append(all.moves, t.moves...)
			several++
		}
	}
	if several > 1 {
		slices.SortFunc(all.versions, bySeq)
		slices.SortFunc(all.moves, bySeq)
	}
	return all
}

func bySeq(a, b *evidence.Event) int { return cmp.Compare(a.Seq, b.Seq) }

func (w *window) ended() bool { return w != nil && w.finished != nil }

// begin is when the step started; the first of its events if the start was not recorded.
func (w *window) begin() (time.Duration, int64) {
	if w.started != nil {
		return w.started.At, w.started.Seq
	}
	return w.events[0].At, w.events[0].Seq
}

// step resolves the step that an assertion names; empty means the last planned one.
func (v *View) step(name string, r *Result) (*window, bool) {
	if name == "" && len(v.planned) > 0 {
		name = v.planned[len(v.planned)-1]
	}
	r.Step = name
	w, reached := v.windows[name]
	switch {
	case !slices.Contains(v.Bundle.Variant.Steps, name):
		r.miss("no step %q was planned", name)
	case !reached:
		r.miss("step %q was never reached%s", name, v.whyNotReached())
	case !w.ended():
		r.miss("the evidence ends while step %q was under way", name)
	case !v.broken(name, r):
		return w, true
	}
	return nil, false
}

// broken tells whether a step, or any if it is empty, did not run to its end because the harness failed or was interrupted:
// then what is not there says nothing of Helm.
func (v *View) broken(step string, r *Result) bool {
	for _, name := range v.Bundle.Variant.Steps {
		w := v.windows[name]
		if (step == "" || step == name) && w.ended() && w.finished.Finished.Errored {
			f := w.finished.Finished
			r.miss("step %q did not run to its end: %s", name, cmp.Or(f.Mismatch, f.Error, "the harness failed"))
			return true
		}
	}
	return false
}

func (v *View) whyNotReached() string {
	if v.endedBy != "" {
		return fmt.Sprintf(": step %q ended the run", v.endedBy)
	}
	return ": the evidence ends before it"
}

// snapshot resolves the step and returns the whole state at its end.
func (v *View) snapshot(name string, r *Result) (evidence.Snapshot, bool) {
	if _, ok := v.step(name, r); !ok {
		return evidence.Snapshot{}, false
	}
	return v.stateAt(r.Step, r)
}

// other is snapshot for a second step, which is not the one the result is about.
func (v *View) other(name string, r *Result) (evidence.Snapshot, bool) {
	var second Result
	s, ok := v.snapshot(name, &second)
	r.Missing = append(r.Missing, second.Missing...)
	return s, ok
}

func (v *View) stateAt(step string, r *Result) (evidence.Snapshot, bool) {
	s, ok := v.Bundle.Snapshot(step)
	if !ok {
		r.miss("there is no snapshot of step %q", step)
		return s, false
	}
	if len(s.Incomplete) > 0 {
		r.miss("the snapshot of step %q is incomplete: %s", step, strings.Join(s.Incomplete, ", "))
		return s, false
	}
	return s, true
}

// until is the last event that a snapshot can know of.
func (v *View) until(s evidence.Snapshot) int64 {
	n, _ := slices.BinarySearchFunc(v.Bundle.Timeline, s.At+1, func(e evidence.Event, at time.Duration) int {
		return cmp.Compare(e.At, at)
	})
	if n == 0 {
		return 0
	}
	return v.Bundle.Timeline[n-1].Seq
}

// find is the one object of a snapshot that a reference means.
func (v *View) find(s evidence.Snapshot, text string) (map[string]any, error) {
	want, err := ref.Parse(text)
	if err != nil {
		return nil, err
	}
	var found map[string]any
	for _, o := range s.Objects {
		if !v.means(want, refOf(o)) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s means several objects: write the group too, as in %s.%s/%s",
				text, want.Kind, cmp.Or(refOf(o).Group, refOf(found).Group), want.Name)
		}
		found = o
	}
	return found, nil
}

// means tells whether a scenario's reference names an object.
func (v *View) means(want ref.Ref, r evidence.Ref) bool {
	return want.Fits(v.Bundle.Variant.Namespace, r.Group, r.Kind, r.Namespace, r.Name)
}

// fitter is means for a reference in text; the empty one fits any object, a malformed one none.
func (v *View) fitter(text string) func(evidence.Ref) bool {
	if text == "" {
		return func(evidence.Ref) bool { return true }
	}
	want, err := ref.Parse(text)
	return func(r evidence.Ref) bool { return err == nil && v.means(want, r) }
}

func (v *View) fitsRef(text string, r evidence.Ref) bool { return v.fitter(text)(r) }

// known tells whether any evidence names an object: it was seen, written to, or is in a stored manifest.
func (v *View) known(text string) bool {
	fitsRef := v.fitter(text)
	for r := range v.tracks {
		if fitsRef(r) {
			return true
		}
	}
	for i := range v.Bundle.Timeline {
		if e := &v.Bundle.Timeline[i]; e.Write != nil && fitsRef(e.Write.Ref) {
			return true
		}
	}
	for _, s := range v.Bundle.Snapshots {
		fits := func(o map[string]any) bool { return fitsRef(refOf(o)) }
		if slices.ContainsFunc(s.Objects, fits) {
			return true
		}
		for _, rev := range s.Ledger.Revisions {
			if slices.ContainsFunc(rev.Manifest, fits) ||
				slices.ContainsFunc(rev.Hooks, func(h evidence.Hook) bool { return fitsRef(h.Ref) }) {
				return true
			}
		}
	}
	return false
}

// since says since when, and by whom, a field of an object is as a snapshot shows it; empty if the timeline does not
// tell. owners asks about who owns it rather than about its value.
func (v *View) since(s evidence.Snapshot, object evidence.Ref, path ownership.Path, owners bool, r *Result) string {
	h, err := ownership.Blame(v.Bundle, object, path, v.until(s))
	if err != nil {
		return ""
	}
	point := h.Value
	if owners {
		point = h.Owners
	}
	r.rest(point.Seq)
	return ", " + point.String()
}
