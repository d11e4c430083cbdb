package sweep

import (
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
)

// Grade says how much of what was tried recovers a cell.
type Grade string

// The grades, from the gravest.
const (
	Lost   Grade = "nothing recovers" // none of the ways does
	Unsaid Grade = "says nothing"     // nothing can be said of the cell
	Partly Grade = "recovers in part" // some do not, or Helm's storage stays wrong
	Clean  Grade = "recovers"         // each does, and leaves nothing wrong
)

// Grades lists all of them, from the gravest.
func Grades() []Grade { return []Grade{Lost, Unsaid, Partly, Clean} }

// Finding is the ending of a cell, which other cells share, and why it is so.
type Finding struct {
	// Name is what is stored of the step's revision and what is live.
	Name string `json:"name"`
	// Why tells in one or two sentences what leads there, and what does or does not lead out.
	Why string `json:"why"`
}

// Group is a finding with the cells that share it.
type Group struct {
	Finding
	Grade Grade
	Cells []Cell
}

// What a finding says is stored of the step's revision, where that is not its status.
const (
	notStored     = "nothing stored"
	pending       = "left pending"
	deployed      = "deployed"
	deployedTwice = "deployed twice"
	unreadable    = "a record unreadable"
)

// What a finding says is live, where that is no other revision.
const (
	liveBefore  = "live as before"
	liveAfter   = "live as after"
	liveMixture = "live a mixture"
)

// ending is where the broken step stopped.
type ending struct{ stored, live string }

// ending compares what a step left with how it goes when nothing breaks it.
func (ref *Reference) ending(l evidence.Ledger, s State) ending {
	e := ending{stored: ref.stored(l)}
	switch s.Live {
	case Between: // also if the unbroken step's own objects equal no manifest
		e.live = liveMixture
	case ref.liveBefore:
		e.live = liveBefore
	case ref.liveAfter:
		e.live = liveAfter
	default:
		e.live = "live is " + s.Live
	}
	return e
}

func (ref *Reference) stored(l evidence.Ledger) string {
	if len(l.Unreadable) > 0 {
		return unreadable
	}
	all := sorted(l)
	if len(all) == 0 || all[len(all)-1].Revision <= ref.newest {
		return notStored
	}
	newest, also := all[len(all)-1].Status, 0
	for _, r := range all {
		if r.Status == deployed {
			also++
		}
	}
	switch {
	case strings.HasPrefix(newest, "pending-"):
		return pending
	case also > 1:
		return deployedTwice
	}
	return newest
}

// find grades the cell, and says why it is so.
func (c *Cell) find() {
	e := c.ending
	c.Grade = c.grade()
	if c.Grade == Unsaid {
		c.Finding = Finding{"no finding", "What was to show this cell came to nothing, so that it speaks neither for Helm nor against it; the cell says what went wrong."}
		return
	}
	c.Finding = Finding{
		Name: e.stored + ", " + e.live,
		Why:  c.cause(e.stored) + e.progress() + ". " + c.wayOut(),
	}
}

func (c *Cell) grade() Grade {
	if c.Problem != "" {
		return Unsaid
	}
	recovered, wrong := 0, 0
	for _, r := range c.Recoveries {
		if r.Recovered {
			recovered++
		}
		if r.Residue != "" {
			wrong++
		}
	}
	switch {
	case recovered == 0:
		return Lost
	case recovered < len(c.Recoveries) || wrong > 0:
		return Partly
	}
	return Clean
}

// cause is the start of a sentence that says what became of the step's revision.
func (c *Cell) cause(stored string) string {
	killed := c.Cut == KilledBefore || c.Cut == KilledAfter
	switch {
	case stored == notStored && killed:
		return "Helm stores its revision as pending before it touches any object, and was killed before that"
	case stored == notStored:
		return "Helm stores its revision as pending before it touches any object; that failed, and it gave up"
	case stored == pending && killed:
		return "Only Helm itself takes the pending mark off its revision, when it ends, and it was killed before that"
	case stored == pending && c.Outcome == "":
		return "Helm took the operation for a success, but its revision still bears the pending mark"
	case stored == pending:
		return "The revision was stored as pending, and Helm gave up without marking it failed"
	case stored == deployedTwice && c.Outcome == "":
		return "Helm went on although the revision before its own could not be marked superseded, and took that for a success"
	case stored == deployedTwice:
		return "Helm marks its revision deployed and the one before it superseded in two writes, and was stopped between them"
	case stored == deployed && killed:
		return "Helm had marked its revision deployed when it was killed"
	case stored == deployed && c.Outcome == "":
		return "Helm tried the write again or did without it, and ended as if nothing had been"
	case stored == deployed:
		return "Helm reported an error although its revision is deployed"
	case stored == unreadable:
		return "A record of the release cannot be read any more"
	case stored == "failed" && killed:
		return "Helm had marked its revision failed when it was killed"
	case stored == "failed":
		return "Helm met an error and marked its revision failed"
	}
	return fmt.Sprintf("Helm left its revision %s", stored)
}

// progress is the end of that sentence: how far the objects had come.
func (e ending) progress() string {
	switch {
	case e.stored == notStored && e.live == liveBefore:
		return ": nothing had begun"
	case e.live == liveBefore:
		return ", with all objects still the old ones"
	case e.live == liveAfter:
		return ", with all objects the new ones"
	case e.live == liveMixture:
		return ", with some objects the new ones and others not"
	}
	return "; what is " + e.live
}

// busy is how that ends which Helm says of a release whose newest revision is pending.
const busy = "is in progress"

// wayOut is a sentence about what recovers the cell.
func (c *Cell) wayOut() string {
	var clean, unclean, not []string
	refused := true
	for _, r := range c.Recoveries {
		switch {
		case !r.Recovered:
			not = append(not, string(r.By))
			refused = refused && strings.Contains(r.Why, busy)
		case r.Residue != "":
			unclean = append(unclean, string(r.By))
		default:
			clean = append(clean, string(r.By))
		}
	}
	var parts []string
	if len(clean) > 0 {
		parts = append(parts, plainly(clean)+" "+verb(clean, "applies", "apply")+" a whole manifest under a new revision, and "+verb(clean, "recovers", "recover")+" it")
	}
	if len(unclean) > 0 {
		parts = append(parts, plainly(unclean)+" "+verb(unclean, "recovers", "recover")+" the objects, but nothing tidies the record of the broken revision")
	}
	switch {
	case len(not) > 0 && refused:
		parts = append(parts, plainly(not)+" "+verb(not, "is", "are")+" refused as long as the newest revision is pending")
	case len(not) > 0:
		parts = append(parts, plainly(not)+" "+verb(not, "does", "do")+" not recover it, for the reason that the cell tells")
	}
	text := strings.Join(parts, "; ")
	if text == "" {
		return "Nothing was tried to recover it."
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func plainly(ways []string) string { return "a plain " + strings.Join(ways, " and a plain ") }

func verb(ways []string, one, several string) string {
	if len(ways) == 1 {
		return one
	}
	return several
}

// Groups are the findings of the matrix, the gravest first, each with its cells.
func (m *Matrix) Groups() []Group {
	var all []Group
	for _, c := range m.Cells {
		i := slices.IndexFunc(all, func(g Group) bool { return g.Finding == c.Finding && g.Grade == c.Grade })
		if i < 0 {
			i, all = len(all), append(all, Group{Finding: c.Finding, Grade: c.Grade})
		}
		all[i].Cells = append(all[i].Cells, c)
	}
	slices.SortStableFunc(all, func(a, b Group) int {
		return slices.Index(Grades(), a.Grade) - slices.Index(Grades(), b.Grade)
	})
	return all
}
