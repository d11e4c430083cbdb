package assert

import (
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

// judgeFaults gives one verdict for each fault of the scenario.
func (v *View) judgeFaults(faults []v1alpha1.Fault) []verdict.Verdict {
	var all []verdict.Verdict
	for i, f := range faults {
		out := verdict.Verdict{Name: "fault " + f.Name, Kind: "fault", Line: v.Bundle.Variant.Lines[fmt.Sprintf("faults[%d]", i)]}
		life := v.lifeOf(f.Name)
		out.Evidence = tidy(life.seqs)
		out.Status, out.Message = v.judgeLife(life, f.RequireFired == nil || *f.RequireFired)
		all = append(all, out)
	}
	return all
}

// life is what the timeline holds of one fault.
type life struct {
	seqs            []int64
	injected, fired int
	// active is set if the last of it is not that it recovered.
	active bool
	// noEffect says why it did not take effect, unmended what could not be undone.
	noEffect, unmended []string
}

func (v *View) lifeOf(name string) life {
	var l life
	for i := range v.Bundle.Timeline {
		e := &v.Bundle.Timeline[i]
		if e.Fault == nil || e.Fault.Name != name {
			continue
		}
		l.seqs = append(l.seqs, e.Seq)
		switch e.Fault.Phase {
		case evidence.FaultInjected:
			l.injected++
			l.active = true
		case evidence.FaultFired:
			l.fired++
		case evidence.FaultRecoverySeen, evidence.FaultUnavailable:
			l.active = false
		case evidence.FaultFailed:
			l.fail(e.Fault)
		}
	}
	return l
}

func (l *life) fail(f *evidence.Fault) {
	text := fmt.Sprintf("%s: %s", f.Action, f.Detail)
	switch f.Action {
	case "inject", "waitForPropagation":
		l.noEffect = append(l.noEffect, text)
	default:
		l.unmended = append(l.unmended, text)
	}
}

func (v *View) judgeLife(l life, required bool) (verdict.Status, string) {
	switch {
	case len(l.unmended) > 0:
		return verdict.Errored, strings.Join(l.unmended, "; ")
	case l.active:
		return verdict.Errored, "it was injected, and never seen to have recovered"
	case !required: // be it that it fired, and went no further
		return verdict.Passed, ""
	case len(l.noEffect) > 0:
		return verdict.Inconclusive, "it did not take effect: " + strings.Join(l.noEffect, "; ")
	case l.injected == 0 && v.endedBy != "" && !v.windows[v.endedBy].finished.Finished.Inconclusive:
		return verdict.Skipped, fmt.Sprintf("step %q ended the run before it was injected", v.endedBy)
	case l.injected == 0:
		return verdict.Inconclusive, "it was never injected: its step was over, or the evidence ends, before its turn came"
	case l.fired == 0:
		return verdict.Inconclusive, "it was injected and recovered, but took effect on nothing"
	}
	return verdict.Passed, ""
}

// Unavailable says which fault, or what else, the cluster cannot have, and why; empty if there is nothing.
func Unavailable(b *evidence.Bundle) string {
	for _, e := range b.Timeline {
		if e.Lack != nil {
			return e.Lack.What + ": " + e.Lack.Reason
		}
		if e.Fault != nil && e.Fault.Phase == evidence.FaultUnavailable {
			return fmt.Sprintf("fault %s (%s): %s", e.Fault.Name, e.Fault.Kind, e.Fault.Detail)
		}
	}
	return ""
}

// skip makes skipped what could not be tried because something is not available.
func skip(all []verdict.Verdict, reason string) {
	for i := range all {
		if slices.Contains([]verdict.Status{verdict.Inconclusive, verdict.Skipped}, all[i].Status) {
			all[i].Status, all[i].Message = verdict.Skipped, reason
		}
	}
}
