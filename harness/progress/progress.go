// Package progress tells the user what a run does while it does it: live on a terminal, one line per event elsewhere.
package progress

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"rehearse.dev/rehearse/harness/verdict"
)

// Reporter hears of events and tells them to the user. Its methods are safe for concurrent use.
type Reporter interface {
	// Report tells one event. Use a Scope to make events.
	Report(Event)
	// Finish ends the display and prints the summary of the run. report is the path of its report; empty if there is
	// none. What is said after that, of a run that is kept, comes below the summary. Called again, Finish tells only what
	// clean-up has left.
	Finish(run verdict.Run, report string)
	// Close ends the display without a summary, if Finish was not called. It may be called again.
	Close()
}

// Kind says what happened.
type Kind int

// The kinds of events.
const (
	// Started: a variant of Total steps begins, or, without a Variant, a run of Total variants.
	Started Kind = iota
	// PhaseStarted: a part named Name that is no step begins, for example booting a cluster.
	PhaseStarted
	// PhaseFinished: that part is over, after Took.
	PhaseFinished
	// StepStarted: the step Name begins; Detail is its operation.
	StepStarted
	// StepFinished: the step Name ended with Status after Took; Detail says what went wrong.
	StepFinished
	// Waiting: what is under way waits for Detail, or is at Detail.
	Waiting
	// Finished: the variant ended with Status after Took; Detail is why it did not pass.
	Finished
	// Said: Detail is something for the user to keep, such as a command to copy.
	Said
)

// Event is one thing that happened.
type Event struct {
	Kind Kind
	// Variant is the variant's ID; empty for the run as a whole.
	Variant string
	Name    string
	Detail  string
	Total   int
	Took    time.Duration
	Status  verdict.Status
}

// Scope makes the events of one variant, or of the run as a whole.
type Scope struct {
	reporter Reporter
	variant  string
}

// For is the scope of a variant, by its ID, or, if that is empty, of the run. A nil reporter discards all.
func For(r Reporter, variant string) Scope {
	if r == nil {
		r = Discard()
	}
	return Scope{r, variant}
}

// Started tells that the variant begins, with so many steps, or the run, with so many variants.
func (s Scope) Started(total int) {
	s.reporter.Report(Event{Kind: Started, Variant: s.variant, Total: total})
}

// Phase tells that a part that is no step begins. The caller calls done at its end.
func (s Scope) Phase(name string) (done func()) {
	begin := time.Now()
	s.reporter.Report(Event{Kind: PhaseStarted, Variant: s.variant, Name: name})
	return func() {
		s.reporter.Report(Event{Kind: PhaseFinished, Variant: s.variant, Name: name, Took: time.Since(begin)})
	}
}

// StepStarted tells that a step begins.
func (s Scope) StepStarted(name, operation string) {
	s.reporter.Report(Event{Kind: StepStarted, Variant: s.variant, Name: name, Detail: operation})
}

// StepFinished tells that a step ended. message says what went wrong; empty if nothing did.
func (s Scope) StepFinished(name string, took time.Duration, status verdict.Status, message string) {
	s.reporter.Report(Event{Kind: StepFinished, Variant: s.variant, Name: name, Took: took, Status: status, Detail: message})
}

// WaitingFor tells what the phase or step under way waits for, or what it is at.
func (s Scope) WaitingFor(what string) {
	s.reporter.Report(Event{Kind: Waiting, Variant: s.variant, Detail: what})
}

// Say tells something that the user is to keep, such as a command to copy: it stays on the screen, whole.
func (s Scope) Say(what string) {
	s.reporter.Report(Event{Kind: Said, Variant: s.variant, Detail: what})
}

// Finished tells how the variant ended.
func (s Scope) Finished(v verdict.Variant) {
	s.reporter.Report(Event{Kind: Finished, Variant: s.variant, Status: v.Status, Took: v.Duration, Detail: tally(v)})
}

// New chooses a reporter for w: a live display on a terminal, plain lines on anything else, on a terminal that cannot
// move its cursor and in CI. getenv is os.Getenv; NO_COLOR, TERM and CI are read.
func New(w io.Writer, getenv func(string) string) Reporter {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return Plain(w)
	}
	return onTerminal(w, func() (int, int, error) { return term.GetSize(int(file.Fd())) }, getenv)
}

// onTerminal chooses a reporter for a terminal of this size.
func onTerminal(w io.Writer, size func() (columns, rows int, err error), getenv func(string) string) Reporter {
	if getenv("CI") != "" || getenv("TERM") == "dumb" {
		return Plain(w)
	}
	if width, _, err := size(); err != nil || width <= 0 {
		return Plain(w)
	}
	return Live(w, size, getenv("NO_COLOR") == "")
}

// Discard is a reporter that tells nothing.
func Discard() Reporter { return discard{} }

type discard struct{}

func (discard) Report(Event)               {}
func (discard) Finish(verdict.Run, string) {}
func (discard) Close()                     {}
