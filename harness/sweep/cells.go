package sweep

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
)

// Cell is what became of a step that was broken at one write in one way.
type Cell struct {
	Write Write `json:"write"`
	Cut   Cut   `json:"cut"`
	// Outcome is the error that the step ended with; empty if Helm took it for a success.
	Outcome string `json:"outcome,omitempty"`
	// Left is what it left behind.
	Left State `json:"left"`
	// Recoveries are what became of the attempts to recover from that.
	Recoveries []Recovery `json:"recoveries"`
	// Problem is why the cell says nothing; empty if it says something.
	Problem string `json:"problem,omitempty"`
	// Explanation tells all that in words.
	Explanation string `json:"explanation"`
	// Grade says how much of what was tried recovers it.
	Grade Grade `json:"grade"`
	// Finding is its ending, which other cells share, and why it is so.
	Finding Finding `json:"finding"`

	ending ending
}

// Recovery is one attempt to recover.
type Recovery struct {
	By        Way  `json:"by"`
	Recovered bool `json:"recovered"`
	// Why says what is in the way if it has not recovered.
	Why  string `json:"why,omitempty"`
	Left State  `json:"left"`
	// Residue is what stays wrong in Helm's storage although the release has recovered, such as a revision that stays pending.
	Residue string `json:"residue,omitempty"`
	// Took is the time from its start until it had ended and every workload was Current.
	Took time.Duration `json:"tookNs,omitempty"`
	// Dir is the attempt's bundle within the run.
	Dir string `json:"dir"`
}

// Matrix is the outcome of a sweep.
type Matrix struct {
	Scenario string `json:"scenario"`
	Step     string `json:"step"`
	Seed     int64  `json:"seed"`
	Cuts     []Cut  `json:"cuts"`
	Ways     []Way  `json:"ways"`
	Cells    []Cell `json:"cells"`
}

// Add reads the bundle of one try, which follows those of the same write and cut. problem is why its run came to nothing.
func (m *Matrix) Add(try Try, b *evidence.Bundle, ref *Reference, problem error) {
	last := len(m.Cells) - 1
	if last < 0 || m.Cells[last].Write != try.Write || m.Cells[last].Cut != try.Cut {
		m.Cells = append(m.Cells, Cell{Write: try.Write, Cut: try.Cut})
		last++
	}
	c := &m.Cells[last]
	if problem == nil {
		problem = c.read(try, b, ref, m.Step)
	}
	if problem != nil && c.Problem == "" {
		c.Problem = problem.Error()
	}
	c.explain()
	c.find()
}

func (c *Cell) read(try Try, b *evidence.Bundle, ref *Reference, step string) error {
	if !fired(b) {
		return fmt.Errorf("the write %s did not come, so nothing was broken", try.Write)
	}
	done, err := finished(b, step)
	if err != nil {
		return err
	}
	left, end, err := ref.state(b, step)
	if err != nil {
		return err
	}
	if len(c.Recoveries) > 0 && c.Left != left {
		return fmt.Errorf("it did not leave the same twice: %s; then %s", c.Left.text(), left.text())
	}
	c.Outcome, c.Left, c.ending = b.Plain(done.Error), left, end
	r, err := recovery(try, b, ref)
	if err != nil {
		return err
	}
	c.Recoveries = append(c.Recoveries, r)
	return nil
}

func recovery(try Try, b *evidence.Bundle, ref *Reference) (Recovery, error) {
	r := Recovery{By: try.Way, Dir: path.Join(b.Variant.Scenario, filepath.Base(b.Dir))}
	done, err := finished(b, recoverName)
	if err != nil {
		return r, err
	}
	r.Took = max(done.Took, assert.Recovery(b)[recoverName])
	if r.Left, _, err = ref.state(b, recoverName); err != nil {
		return r, err
	}
	r.Why = b.Plain(done.Error)
	for _, a := range []v1alpha1.Assertion{
		assertion("ledger", &v1alpha1.Ledger{At: recoverName, AllowPending: true}),
		assertion("live", &v1alpha1.Live{At: recoverName, Strict: true}),
	} {
		if r.Why == "" {
			r.Why = b.Plain(holds(b, a))
		}
	}
	r.Recovered = r.Why == ""
	if r.Recovered {
		r.Residue = b.Plain(holds(b, assertion("ledger", &v1alpha1.Ledger{At: recoverName})))
	}
	return r, nil
}

func fired(b *evidence.Bundle) bool {
	for _, e := range b.Timeline {
		if f := e.Fault; f != nil && f.Name == cutName && f.Phase == evidence.FaultFired {
			return true
		}
	}
	return false
}

// finished is how a step ended.
func finished(b *evidence.Bundle, step string) (*evidence.StepFinished, error) {
	for _, e := range b.Timeline {
		if e.Step != step || e.Finished == nil {
			continue
		}
		if e.Finished.Errored {
			return nil, fmt.Errorf("step %q: %s", step, e.Finished.Mismatch)
		}
		return e.Finished, nil
	}
	return nil, errors.New("the run ended before step " + step)
}

func (s State) text() string {
	return fmt.Sprintf("Helm's storage holds %s; live is %s; what Helm owns is %s", s.Ledger, s.LiveText(), s.OwnershipText())
}

// OwnershipText says what Helm owns, in words.
func (s State) OwnershipText() string {
	if s.Ownership == Between {
		return "neither as before the step nor as after it"
	}
	return s.Ownership + " the step"
}

// LiveText says what is live, in words.
func (s State) LiveText() string {
	if s.Live == Between {
		return "a mixture, no revision's manifest"
	}
	return s.Live + "'s manifest"
}

// explain tells the cell in words.
func (c *Cell) explain() {
	if c.Problem != "" {
		c.Explanation = "Nothing can be said: " + c.Problem + "."
		return
	}
	var text strings.Builder
	text.WriteString(strings.ToUpper(c.Cut.says(c.Write)[:1]) + c.Cut.says(c.Write)[1:])
	switch {
	case c.Outcome == "":
		text.WriteString(". Helm went on and took the operation for a success.")
	case c.Cut == KilledBefore || c.Cut == KilledAfter:
		text.WriteString(". Nobody was left to say how the operation ended.")
	default:
		text.WriteString(". Helm gave up: " + c.Outcome + ".")
	}
	text.WriteString(" " + strings.ToUpper(c.Left.text()[:1]) + c.Left.text()[1:] + ".")
	for _, r := range c.Recoveries {
		switch {
		case !r.Recovered:
			fmt.Fprintf(&text, " A plain %s does not recover it: %s.", r.By, r.Why)
		case r.Residue != "":
			fmt.Fprintf(&text, " A plain %s recovers it, but leaves this behind: %s.", r.By, r.Residue)
		default:
			fmt.Fprintf(&text, " A plain %s recovers it: %s.", r.By, r.Left.text())
		}
	}
	c.Explanation = text.String()
}

// Conclusive reports whether every cell says something.
func (m *Matrix) Conclusive() bool {
	for _, c := range m.Cells {
		if c.Problem != "" {
			return false
		}
	}
	return len(m.Cells) > 0
}

// Lost lists the cells that none of the ways recovers, of those that say something.
func (m *Matrix) Lost() []Cell {
	var all []Cell
	for _, c := range m.Cells {
		recovered := c.Problem != ""
		for _, r := range c.Recoveries {
			recovered = recovered || r.Recovered
		}
		if !recovered {
			all = append(all, c)
		}
	}
	return all
}
