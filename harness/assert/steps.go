package assert

import (
	"cmp"
	"fmt"

	"rehearse.dev/rehearse/harness/verdict"
)

// judgeSteps gives one verdict for each planned step.
func (v *View) judgeSteps() []verdict.Verdict {
	var all []verdict.Verdict
	for i, step := range v.planned {
		all = append(all, v.judgeStep(step, fmt.Sprintf("steps[%d]", i), false))
	}
	for i, step := range v.finally {
		all = append(all, v.judgeStep(step, fmt.Sprintf("finally[%d]", i), true))
	}
	return all
}

func (v *View) judgeStep(step, place string, finally bool) verdict.Verdict {
	out := verdict.Verdict{
		Name: step, Kind: "step", Step: step, Status: verdict.Passed, Line: v.Bundle.Variant.Lines[place],
	}
	w := v.windows[step]
	if !w.ended() {
		return v.judgeUnfinished(out, w, finally)
	}
	f := w.finished.Finished
	out.Duration = f.Took
	if w.started != nil {
		out.Evidence = []int64{w.started.Seq}
	}
	out.Evidence = append(out.Evidence, w.finished.Seq)
	switch {
	case f.Errored:
		out.Status, out.Message = verdict.Errored, cmp.Or(f.Mismatch, f.Error, "the harness failed without saying why")
	case f.Inconclusive:
		out.Status, out.Message = verdict.Inconclusive, f.Mismatch
	case f.Mismatch != "":
		out.Status, out.Message = verdict.Failed, f.Mismatch
	}
	return out
}

func (v *View) judgeUnfinished(out verdict.Verdict, w *window, finally bool) verdict.Verdict {
	switch {
	case w != nil:
		out.Status, out.Message = verdict.Inconclusive, "the evidence ends while this step was under way"
		out.Evidence = []int64{w.events[len(w.events)-1].Seq}
	case v.endedBy != "" && !finally:
		out.Status, out.Message = verdict.Skipped, fmt.Sprintf("step %q ended the run", v.endedBy)
	default:
		out.Status, out.Message = verdict.Inconclusive, "never reached: the evidence ends before it"
	}
	return out
}
