package assert

import (
	"fmt"
	"slices"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func recoveryTimeEntry() registry.Entry[Func] {
	return registry.Entry[Func]{
		Name:    "recoveryTime",
		Summary: "How long a step may take until every workload of the release is Current for good.",
		Example: `recoveryTime: {of: back, max: 60s}
`,
		NewSpec:  func() any { return &v1alpha1.RecoveryTime{} },
		Validate: validated(validateRecoveryTime),
		Code:     typed(judgeRecoveryTime),
	}
}

func validateRecoveryTime(t *v1alpha1.RecoveryTime) []registry.Problem {
	if t.Max.Duration <= 0 {
		return []registry.Problem{{Path: "max", Message: "must be longer than 0"}}
	}
	return nil
}

func judgeRecoveryTime(v *View, spec *v1alpha1.RecoveryTime) Result {
	var r Result
	m := v.recovery(spec.Of, &r)
	if len(r.Missing) > 0 {
		return r
	}
	for _, w := range m.unfinished {
		r.fail("%s was not Current by the end of the evidence on step %q: %s", w.text, spec.Of, w.status)
	}
	if len(m.unfinished) == 0 && m.took > spec.Max.Duration {
		r.fail("expected every workload Current within %s of the start of step %q, seen %s: %s was the last",
			spec.Max.Duration, spec.Of, short(m.took), m.last)
	}
	return r
}

// Recovery measures the recovery time of every install, upgrade and rollback of a bundle after which every workload of
// the release became Current, by step.
func Recovery(b *evidence.Bundle) map[string]time.Duration {
	v := NewView(b, 0)
	measured := map[string]time.Duration{}
	for _, step := range v.planned {
		w := v.windows[step]
		if w == nil || w.started == nil || !slices.Contains([]string{"install", "upgrade", "rollback"}, w.started.Started.Operation) {
			continue
		}
		var r Result
		if m := v.recovery(step, &r); len(r.Missing) == 0 && len(m.unfinished) == 0 {
			measured[step] = m.took
		}
	}
	return measured
}

// measurement is how long the workloads took after a step's start.
type measurement struct {
	took time.Duration
	// last is the workload that took longest.
	last string
	// unfinished are the workloads that were not Current in the end.
	unfinished []workload
}

type workload struct{ text, status string }

func (v *View) recovery(step string, r *Result) measurement {
	var m measurement
	if _, ok := v.step(step, r); !ok {
		return m
	}
	s, ok := v.stateAt(step, r)
	if !ok {
		return m
	}
	targets := workloads(s)
	if len(targets) == 0 {
		r.miss("the release has no workload at the end of step %q", step)
		return m
	}
	window := v.recoveryWindow(step)
	pairs := make([]pair, len(targets))
	for i, t := range targets {
		pairs[i] = pair{t, t}
	}
	for _, name := range window {
		if v.gap(v.windows[name].events, r, kindsOf(pairs)...) {
			return m
		}
	}
	for _, t := range targets {
		v.measure(&m, t, window, s, r)
	}
	return m
}

// workloads are those of the newest revision's manifest.
func workloads(s evidence.Snapshot) []target {
	rev, _ := revision(s.Ledger, 0)
	var all []target
	for _, o := range rev.Manifest {
		if slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"}, refOf(o).Kind) {
			all = append(all, manifestTarget(o, s.Ledger.Namespace))
		}
	}
	return all
}

// recoveryWindow names a step and the await steps that follow it: a step that does not wait is over before its
// workloads are, and any other step may change them again.
func (v *View) recoveryWindow(step string) []string {
	window := []string{step}
	at := slices.Index(v.Bundle.Variant.Steps, step)
	for _, next := range v.Bundle.Variant.Steps[at+1:] {
		w := v.windows[next]
		if w == nil || w.started == nil || w.started.Started.Operation != "await" {
			break
		}
		window = append(window, next)
	}
	return window
}

// measure adds one workload: it recovered at its last transition to Current, if nothing followed.
func (v *View) measure(m *measurement, t target, window []string, s evidence.Snapshot, r *Result) {
	start, startSeq := v.windows[s.Step].begin()
	status, isCurrent, took, seq := "", false, time.Duration(0), int64(0)
	for _, e := range v.track(t.fits).moves {
		switch {
		case e.Seq < startSeq:
			status, isCurrent = e.Transition.To, e.Transition.To == current
		case slices.Contains(window, e.Step):
			status, isCurrent = describeStatus(e.Transition), e.Transition.To == current
			took, seq = e.At-start, e.Seq
		}
	}
	r.rest(seq)
	switch {
	case status == "" && v.unwatched(t.text, r):
	case status == "" && !slices.ContainsFunc(s.Objects, func(o map[string]any) bool { return t.fits(refOf(o)) }):
		m.unfinished = append(m.unfinished, workload{t.text, "it does not exist"})
	case status == "":
		r.miss("no status of %s was ever seen", t.text)
	case !isCurrent:
		m.unfinished = append(m.unfinished, workload{t.text, status})
	case took >= m.took:
		m.took, m.last = took, fmt.Sprintf("%s at +%s", t.text, short(start+took))
	}
}
