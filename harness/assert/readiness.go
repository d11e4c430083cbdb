package assert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

// current is the kstatus of an object that is what its spec asks for.
const current = "Current"

func readinessOrderEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "readinessOrder",
		Summary: "In which order objects became Current within a step.",
		Example: `readinessOrder:
  at: back
  chain: [StatefulSet/db, Deployment/backend, Deployment/frontend]
`,
		NewSpec:  func() any { return &v1alpha1.ReadinessOrder{} },
		Validate: validated(validateReadinessOrder),
		Code:     typed(judgeReadinessOrder),
	}
}

func validateReadinessOrder(o *v1alpha1.ReadinessOrder) []registry.Problem {
	var problems []registry.Problem
	if len(o.Chain) == 0 && len(o.Before) == 0 && o.From == "" {
		problems = append(problems, registry.Problem{Message: "states no order: add chain, before or from"})
	}
	if len(o.Chain) == 1 {
		problems = append(problems, registry.Problem{Path: "chain", Message: "one object has no order: name at least two"})
	}
	for i, name := range o.Chain {
		if _, err := ref.Parse(name); err != nil {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("chain[%d]", i), Message: err.Error()})
		}
		if slices.Index(o.Chain, name) < i {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("chain[%d]", i), Message: name + " is in the chain twice"})
		}
	}
	for i, pair := range o.Before {
		if pair.First == pair.Then {
			problems = append(problems, registry.Problem{Path: fmt.Sprintf("before[%d]", i), Message: pair.First + " cannot come before itself"})
		}
	}
	return problems
}

// pair is two objects of which the second must not become Current before the first has.
type pair struct{ first, then target }

// target finds an object in the timeline.
type target struct {
	text string
	// id tells it from all others of the manifest; set for those that annotations name.
	id   string
	fits func(evidence.Ref) bool
}

func judgeReadinessOrder(v *View, spec *v1alpha1.ReadinessOrder) Result {
	var r Result
	w, ok := v.step(spec.At, &r)
	if !ok {
		return r
	}
	pairs := v.statedPairs(spec)
	if spec.From != "" {
		s, ok := v.stateAt(r.Step, &r)
		if !ok {
			return r
		}
		pairs = append(pairs, annotatedPairs(s, spec.From, &r)...)
	}
	if len(r.Missing) > 0 || v.gap(w.events, &r, kindsOf(pairs)...) {
		return r
	}
	j := &orderJudge{v: v, r: &r, window: w, states: map[string]*progress{}}
	judged := 0
	for _, p := range pairs {
		if j.judge(p) {
			judged++
		}
	}
	if judged == 0 && len(r.Failed)+len(r.Missing) == 0 {
		r.miss("no object of the order that others come before became Current in step %q, so the step says nothing about it", r.Step)
	}
	return r
}

// statedPairs are those of chain and before. In a chain each object comes after all those before it, so that one which
// the step did not touch does not break the chain.
func (v *View) statedPairs(spec *v1alpha1.ReadinessOrder) []pair {
	var pairs []pair
	for i, then := range spec.Chain {
		for _, first := range spec.Chain[:i] {
			pairs = append(pairs, pair{v.target(first), v.target(then)})
		}
	}
	for _, b := range spec.Before {
		pairs = append(pairs, pair{v.target(b.First), v.target(b.Then)})
	}
	return pairs
}

func (v *View) target(text string) target {
	return target{text: text, fits: v.fitter(text)}
}

func kindsOf(pairs []pair) []string {
	kinds := []string{}
	for _, p := range pairs {
		for _, t := range []target{p.first, p.then} {
			kind, _, _ := strings.Cut(t.text, "/")
			kind, _, _ = strings.Cut(kind, ".")
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// orderJudge is one readinessOrder assertion at work.
type orderJudge struct {
	v      *View
	r      *Result
	window *window
	states map[string]*progress
}

// progress is what one object did in the step.
type progress struct {
	// status is its last status with the reason; empty if it was never seen.
	status string
	// touched: the step changed it, or its status changed while the step was under way.
	touched bool
	// ready is the event at which it became Current, and at its time; ready is 0 if it never was.
	ready int64
	at    time.Duration
}

// judge reports whether the pair says anything: whether the second object became Current in the step.
func (j *orderJudge) judge(p pair) bool {
	first, then := j.progress(p.first), j.progress(p.then)
	for _, side := range []struct {
		t target
		p *progress
	}{{p.first, first}, {p.then, then}} {
		switch {
		case side.p.status == "":
			j.r.miss("%s matches nothing: it was never seen up to the end of step %q", side.t.text, j.r.Step)
		case side.p.ready == 0:
			j.r.fail("%s never became Current in step %q: %s", side.t.text, j.r.Step, side.p.status)
		}
	}
	if first.ready == 0 || then.ready == 0 || !then.touched {
		return false
	}
	if first.touched {
		j.r.rest(first.ready)
	}
	j.r.rest(then.ready)
	if first.touched && then.ready < first.ready {
		j.r.fail("%s became Current at +%s, before %s did at +%s (step %q)",
			p.then.text, short(then.at), p.first.text, short(first.at), j.r.Step)
	}
	return true
}

func short(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// progress follows one object through the step. It became Current at the first transition to Current after the step
// first changed it (its generation, or it was made), so that a status left over from the step before does not count;
// what it does later, for example flap, is not a matter of order. An object that was Current and stayed so untouched
// counts as Current from the start of the step.
func (j *orderJudge) progress(t target) *progress {
	if p := j.states[t.text]; p != nil {
		return p
	}
	h := j.history(t)
	p := &progress{status: h.status, touched: h.change != nil || len(h.moves) > 0}
	j.states[t.text] = p
	if n := len(h.moves); n > 0 {
		p.status = describeStatus(h.moves[n-1].Transition)
	}
	start, startSeq := j.window.begin()
	switch {
	case !p.touched && h.status == current:
		p.ready, p.at = startSeq, start
	case h.change != nil && h.staysCurrent():
		p.ready, p.at = h.change.Seq, h.change.At
	default:
		for _, e := range h.moves {
			if e.Transition.To == current && (h.change == nil || e.Seq > h.change.Seq) {
				p.ready, p.at = e.Seq, e.At
				break
			}
		}
	}
	return p
}

// history is what the timeline says of one object up to the end of the step.
type history struct {
	// status is the one it had when the step began; empty if it was never seen by then.
	status string
	// change is the first version in the step with another generation or UID; nil if there is none.
	change *evidence.Event
	// moves are its transitions in the step.
	moves []*evidence.Event
}

func (j *orderJudge) history(t target) history {
	var h history
	var generation int64
	var uid string
	_, startSeq := j.window.begin()
	seen := j.v.track(t.fits)
	for _, e := range seen.versions {
		switch fresh := e.Object.Generation != generation || e.Object.Ref.UID != uid; {
		case e.Seq < startSeq:
			generation, uid = e.Object.Generation, e.Object.Ref.UID
		case e.Step == j.r.Step && h.change == nil && fresh && e.Object.Change != evidence.Deleted:
			h.change = e
		}
	}
	for _, e := range seen.moves {
		switch {
		case e.Seq < startSeq:
			h.status = e.Transition.To
		case e.Step == j.r.Step:
			h.moves = append(h.moves, e)
		}
	}
	return h
}

// staysCurrent tells whether the object was Current when it was changed and that version was Current too.
func (h history) staysCurrent() bool {
	status := h.status
	for _, e := range h.moves {
		if e.Seq > h.change.Seq {
			if e.Transition.ResourceVersion == h.change.Object.ResourceVersion {
				return false
			}
			continue
		}
		status = e.Transition.To
	}
	return status == current
}

func describeStatus(t *evidence.Transition) string {
	if t.Message == "" {
		return t.To
	}
	return fmt.Sprintf("%s (%s)", t.To, t.Message)
}
