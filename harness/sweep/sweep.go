// Package sweep breaks one step of a scenario at each of its writes, in each of several ways, and reads from the evidence
// what that left behind and what recovers it. It is pure: it makes plans, and reads bundles.
package sweep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
)

// Cut is a way to break a step at one of its writes.
type Cut string

// The ways.
const (
	KilledBefore Cut = "killedBefore" // helm is killed before the write reaches the API server
	KilledAfter  Cut = "killedAfter"  // helm is killed once the API server has stored the write
	ResponseLost Cut = "responseLost" // the write is stored, and helm never hears of it
	Conflict     Cut = "conflict"     // the API server refuses the write with 409
	ServerError  Cut = "serverError"  // the API server fails the write with 500
)

// Cuts lists all ways, in the order of the matrix.
func Cuts() []Cut { return []Cut{KilledBefore, KilledAfter, ResponseLost, Conflict, ServerError} }

// Title is the way in a few words.
func (c Cut) Title() string {
	switch c {
	case KilledBefore:
		return "killed before"
	case KilledAfter:
		return "killed after"
	case ResponseLost:
		return "response lost"
	case Conflict:
		return "refused with 409"
	case ServerError:
		return "refused with 500"
	}
	return string(c)
}

// says is how a sentence begins that tells of a write broken in this way.
func (c Cut) says(w Write) string {
	switch c {
	case KilledBefore:
		return fmt.Sprintf("helm was killed before its write %s", w)
	case KilledAfter:
		return fmt.Sprintf("helm was killed after its write %s", w)
	case ResponseLost:
		return fmt.Sprintf("%s was stored, and the response lost", w)
	case Conflict:
		return fmt.Sprintf("%s was refused with 409", w)
	case ServerError:
		return fmt.Sprintf("%s was refused with 500", w)
	}
	return string(c) + " at " + w.String()
}

// Way is a way to recover, by one plain operation.
type Way string

// The ways.
const (
	ByRollback Way = "rollback" // to the revision that was deployed before the step
	ByUpgrade  Way = "upgrade"  // the step's own once more or, if that is no upgrade, the last one before it
)

// Ways lists all ways, in the order of the matrix.
func Ways() []Way { return []Way{ByRollback, ByUpgrade} }

// Write is a write of Helm's. Its place among all writes may change from run to run where Helm writes several things at
// once, so it is known by what it is about.
type Write struct {
	Verb        string `json:"verb"`
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`
	// Nth tells the writes apart that are alike otherwise, from 1.
	Nth int `json:"nth"`
}

// String is, for example, "patch deployments/backend", with "#2" for the second that is alike.
func (w Write) String() string {
	text := w.Verb + " " + w.Resource
	if w.Name != "" {
		text += "/" + w.Name
	}
	if w.Subresource != "" {
		text += " (" + w.Subresource + ")"
	}
	if w.Nth > 1 {
		text += fmt.Sprintf(" #%d", w.Nth)
	}
	return text
}

// Reasons why a step cannot be swept.
var (
	// ErrStep says that there is no such step, or that it is none that a sweep can break.
	ErrStep = errors.New("this step cannot be swept")
	// ErrRecording says that the run that was to record the step's writes does not show them.
	ErrRecording = errors.New("the recording is of no use")
)

// Writes lists what Helm wrote in a step that ended well, in the order in which it came.
func Writes(b *evidence.Bundle, step string) ([]Write, error) {
	var requests []*evidence.Request
	for _, e := range b.Timeline {
		switch {
		case e.Step != step:
		case e.Finished != nil && e.Finished.Mismatch != "":
			return nil, fmt.Errorf("%w: step %q did not come to what it must: %s", ErrRecording, step, e.Finished.Mismatch)
		case e.Request != nil && e.Request.Writes():
			requests = append(requests, e.Request)
		}
	}
	slices.SortStableFunc(requests, func(a, b *evidence.Request) int { return int(a.Number - b.Number) })
	seen := map[Write]int{}
	var all []Write
	for _, r := range requests {
		w := Write{Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name}
		seen[w]++
		w.Nth = seen[w]
		all = append(all, w)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: Helm wrote nothing in step %q, or the run ended before it", ErrRecording, step)
	}
	return all, nil
}

// parse reads a list of names as of a flag; empty stands for all of them.
func parse[T ~string](names []string, all []T, what string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	var found []T
	for _, name := range names {
		if !slices.Contains(all, T(name)) {
			return nil, fmt.Errorf("%q is no %s (there are: %s)", name, what, join(all))
		}
		found = append(found, T(name))
	}
	return found, nil
}

// ParseCuts reads the names of ways to break a step; none stands for all.
func ParseCuts(names []string) ([]Cut, error) { return parse(names, Cuts(), "way to break a step") }

// ParseWays reads the names of ways to recover; none stands for all.
func ParseWays(names []string) ([]Way, error) { return parse(names, Ways(), "way to recover") }

func join[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = string(one)
	}
	return strings.Join(texts, ", ")
}
