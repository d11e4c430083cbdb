package html

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/page"
)

// step is a line of the table of steps.
type step struct {
	V        verdict.Verdict
	Took     string
	Recovery string
	// Operation, Start and Expected come from the bundle.
	Operation, Start string
	// Requests says how many requests Helm sent; empty if none are known.
	Requests string
	// Expected is the error that the step returned and had to return.
	Expected string
}

func stepOf(d verdict.Verdict, v verdict.Variant) *step {
	s := &step{V: d, Took: page.Short(d.Duration)}
	if recovery, ok := v.Recovery[d.Name]; ok {
		s.Recovery = page.Short(recovery)
	}
	return s
}

func addOperations(steps []*step, b *evidence.Bundle) {
	byName := map[string]*step{}
	for _, s := range steps {
		byName[s.V.Name] = s
	}
	sent := map[string]*traffic{}
	for _, e := range b.Timeline {
		s := byName[e.Step]
		if s != nil && e.Request != nil {
			if sent[e.Step] == nil {
				sent[e.Step] = &traffic{}
			}
			sent[e.Step].add(e.Request)
			s.Requests = sent[e.Step].String()
		}
		switch {
		case s == nil:
		case e.Started != nil:
			s.Operation, s.Start = e.Started.Operation, offset(e.At)
		case e.Finished != nil && e.Finished.Mismatch == "":
			s.Expected = e.Finished.Error
		}
	}
}

// traffic counts requests.
type traffic struct{ all, writes, forced, refused, unanswered int }

func (t *traffic) add(q *evidence.Request) {
	t.all++
	if q.Writes() {
		t.writes++
	}
	if q.Writes() && q.Force {
		t.forced++
	}
	switch {
	case q.Status == 0:
		t.unanswered++
	case q.Status >= 400 && q.Status != 404: // Helm asks for much that need not be there
		t.refused++
	}
}

// String leaves out what there was none of.
func (t *traffic) String() string {
	text := fmt.Sprintf("requests: %d, writes: %d", t.all, t.writes)
	for _, part := range []struct {
		n    int
		what string
	}{{t.forced, "forced"}, {t.refused, "refused"}, {t.unanswered, "unanswered"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %s: %d", part.what, part.n)
		}
	}
	return text
}

// assertion is one verdict with an excerpt of its evidence.
type assertion struct {
	V       verdict.Verdict
	Excerpt []line
	More    int
}

type line struct {
	Seq      int64
	At, Step string
	Text     string
}

// mostExcerpt is how many events of an assertion's evidence are shown.
const mostExcerpt = 12

func assertionOf(d verdict.Verdict) *assertion { return &assertion{V: d} }

// addExcerpts shows the evidence of what did not pass.
func addExcerpts(assertions []*assertion, b *evidence.Bundle) {
	for _, a := range assertions {
		if a.V.Status == verdict.Passed {
			continue
		}
		for _, seq := range a.V.Evidence {
			if seq < 1 || seq > int64(len(b.Timeline)) {
				continue
			}
			if len(a.Excerpt) == mostExcerpt {
				a.More++
				continue
			}
			e := b.Timeline[seq-1]
			a.Excerpt = append(a.Excerpt, line{e.Seq, offset(e.At), e.Step, tell(e, b)})
		}
	}
}

// tell says in one line what an event is.
func tell(e evidence.Event, b *evidence.Bundle) string {
	switch {
	case e.Phase != nil:
		return fmt.Sprintf("%s took %s", e.Phase.Name, page.Short(e.Phase.Took))
	case e.Started != nil:
		return e.Started.Operation + " began"
	case e.Finished != nil:
		return e.Finished.Operation + " ended" + because(firstOf(e.Finished.Mismatch, e.Finished.Error))
	case e.Object != nil:
		return tellVersion(e, b)
	case e.Transition != nil:
		return fmt.Sprintf("%s: %s → %s%s", e.Transition.Ref, e.Transition.From, e.Transition.To, because(e.Transition.Message))
	case e.KubeEvent != nil:
		return fmt.Sprintf("%s: %s %s%s", e.KubeEvent.Regarding, e.KubeEvent.Type, e.KubeEvent.Reason, because(e.KubeEvent.Message))
	case e.Write != nil:
		return tellWrite(e.Write)
	case e.Readiness != nil:
		return tellReadiness(e.Readiness)
	case e.Fault != nil:
		return tellFault(e.Fault)
	case e.Request != nil:
		return tellRequest(e.Request)
	case e.Restart != nil:
		return tellRestart(e.Restart)
	case e.Gap != nil:
		return fmt.Sprintf("evidence of %s may be missing%s", e.Gap.Resource, because(e.Gap.Reason))
	case e.Lack != nil:
		return fmt.Sprintf("this cluster cannot have %s%s", e.Lack.What, because(e.Lack.Reason))
	}
	return ""
}

func tellRestart(r *evidence.Restart) string {
	return fmt.Sprintf("the cluster's %s was started again%s", r.Component, because(r.Reason))
}

// tellRequest says what Helm asked and what it got.
func tellRequest(q *evidence.Request) string {
	text := "Helm: " + q.String()
	for _, flag := range []struct {
		on   bool
		what string
	}{{q.Force, ", forced"}, {q.DryRun, ", a dry run"}} {
		if flag.on {
			text += flag.what
		}
	}
	if q.Status != 0 {
		text += fmt.Sprintf(" → %d", q.Status)
	}
	return text + " in " + page.Short(q.Took) + because(firstOf(q.Error, q.Message))
}

// tellFault says what became of a fault.
func tellFault(f *evidence.Fault) string {
	text := fmt.Sprintf("fault %s (%s) %s", f.Name, f.Kind, f.Phase)
	switch f.Phase {
	case evidence.FaultFired:
		text = fmt.Sprintf("fault %s fired (%d)", f.Name, f.Firing)
	case evidence.FaultFailed:
		text = fmt.Sprintf("fault %s (%s): %s failed", f.Name, f.Kind, f.Action)
	}
	var targets []string
	for _, t := range f.Targets {
		targets = append(targets, t.String())
	}
	if len(targets) > 0 {
		text += ": " + strings.Join(targets, ", ")
	}
	return text + because(f.Detail)
}

// tellVersion names the managers of an object version, since most assertions that point to one are about them.
func tellVersion(e evidence.Event, b *evidence.Bundle) string {
	text := fmt.Sprintf("%s %s, generation %d", e.Object.Ref, e.Object.Change, e.Object.Generation)
	object, err := b.Object(e.Seq)
	if errors.Is(err, evidence.ErrNoObject) {
		return text
	}
	var names []string
	entries, entriesErr := ownership.Entries(object)
	if err := errors.Join(err, entriesErr); err != nil {
		return fmt.Sprintf("%s; its managers cannot be read: %v", text, err)
	}
	for _, entry := range entries {
		names = append(names, entry.String())
	}
	return text + "; managers: " + strings.Join(names, ", ")
}

func tellWrite(w *evidence.ActorWrite) string {
	text := fmt.Sprintf("actor %s: %s %s as %s", w.Actor, w.Verb, w.Ref, w.Manager)
	if w.Error != "" {
		text += ", refused: " + w.Error
	}
	return text
}

func tellReadiness(r *evidence.Readiness) string {
	text := fmt.Sprintf("%s of %s %s", r.Pod, r.Workload, r.Decision)
	if r.After > 0 {
		text += ", " + page.Short(r.After.Round(time.Millisecond)) + " after its creation"
	}
	return text
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func factsOf(b *evidence.Bundle) []fact {
	facts := []fact{{"release", b.Variant.Namespace + "/" + b.Variant.Release}}
	for _, e := range b.Timeline {
		if e.Phase != nil {
			facts = append(facts, fact{e.Phase.Name, page.Short(e.Phase.Took)})
		}
	}
	return facts
}

// mostWarnings is how many of them are told one by one.
const mostWarnings = 8

// warningsOf says where the evidence has holes, and what else is to be known to read it.
func warningsOf(b *evidence.Bundle) []string {
	var all []string
	for _, name := range b.Truncated {
		all = append(all, name+" is cut off: the run was killed while it was written")
	}
	for _, e := range b.Timeline {
		if e.Gap != nil || e.Restart != nil {
			all = append(all, fmt.Sprintf("at %s: %s", offset(e.At), tell(e, b)))
		}
	}
	for _, s := range b.Snapshots {
		for _, reason := range s.Incomplete {
			all = append(all, fmt.Sprintf("the snapshot of step %s is incomplete: %s", s.Step, reason))
		}
	}
	if more := len(all) - mostWarnings; more > 0 {
		all = append(all[:mostWarnings], fmt.Sprintf("and %d more", more))
	}
	return all
}
