package html

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/page"
)

// head is what stands above the variants.
type head struct {
	Run      verdict.Run
	Started  string
	Took     string
	Counts   []count
	Facts    []fact
	Command  string
	Problems []problem
	Rows     []row
}

type count struct {
	N      int
	Status verdict.Status
}

type fact struct{ Name, Value string }

// problem is one variant that did not pass, with the first of its reasons.
type problem struct {
	Anchor, ID string
	Status     verdict.Status
	Reasons    []reason
	More       int
}

type reason struct {
	Status               verdict.Status
	Name, Message, Known string
}

// row is a line of the table of variants.
type row struct {
	Anchor, ID, Description     string
	Status                      verdict.Status
	Steps, Assertions, Recovery string
	Took                        string
	// Percent is the duration as a part of the longest one's.
	Percent int
}

// variant is the section of one variant.
type variant struct {
	Anchor     string
	V          verdict.Variant
	Took       string
	Open       bool
	Facts      []fact
	Steps      []*step
	Assertions []*assertion
	// NoEvidence is why the bundle could not be read.
	NoEvidence string
	Warnings   []string
	Charts     []*chart
	Owners     []*owners
	OwnersNote string
	Ledger     *ledger
}

// mostReasons is how many verdicts of a variant the summary at the top repeats.
const mostReasons = 3

// statuses lists them from the gravest to the best.
var statuses = [...]verdict.Status{verdict.Failed, verdict.Errored, verdict.Inconclusive, verdict.Passed, verdict.Skipped}

func headOf(run verdict.Run) head {
	h := head{Run: run, Started: run.Started.UTC().Format("2 January 2006, 15:04:05 UTC"), Took: page.Short(run.Duration)}
	h.Command = "rehearse " + strings.Join(run.Args, " ")
	n := map[verdict.Status]int{}
	longest := time.Duration(1)
	for _, v := range run.Variants {
		n[v.Status]++
		longest = max(longest, v.Duration)
	}
	for _, s := range statuses {
		if n[s] > 0 {
			h.Counts = append(h.Counts, count{n[s], s})
		}
	}
	h.Facts = append(h.Facts, fact{"seed", run.SeedText()}, fact{"exit code", fmt.Sprint(run.ExitCode)})
	if asked := run.Requests(); asked != nil {
		h.Facts = append(h.Facts, fact{"requests of Helm", asked.String()})
	}
	for _, name := range slices.Sorted(maps.Keys(run.Versions)) {
		h.Facts = append(h.Facts, fact{name, run.Versions[name]})
	}
	for i, v := range run.Variants {
		h.Rows = append(h.Rows, rowOf(i, v, longest))
	}
	h.Problems = problemsOf(run)
	return h
}

func rowOf(i int, v verdict.Variant, longest time.Duration) row {
	r := row{Anchor: page.Anchor(i), ID: v.ID(), Description: v.Description, Status: v.Status, Took: page.Short(v.Duration)}
	r.Percent = int(100 * v.Duration / longest)
	var passed, all [2]int
	for _, d := range v.Verdicts {
		kind := 0
		if d.Kind != "step" {
			kind = 1
		}
		all[kind]++
		if d.Status == verdict.Passed {
			passed[kind]++
		}
	}
	r.Steps = fmt.Sprintf("%d/%d", passed[0], all[0])
	r.Assertions = fmt.Sprintf("%d/%d", passed[1], all[1])
	var recovery []string
	for _, step := range v.Recovered() {
		recovery = append(recovery, step+" "+page.Short(v.Recovery[step]))
	}
	r.Recovery = strings.Join(recovery, ", ")
	return r
}

// problemsOf lists the gravest first.
func problemsOf(run verdict.Run) []problem {
	var all []problem
	for _, s := range statuses {
		for i, v := range run.Variants {
			if v.Status == s && s != verdict.Passed && s != verdict.Skipped {
				all = append(all, problemOf(i, v))
			}
		}
	}
	return all
}

func problemOf(i int, v verdict.Variant) problem {
	p := problem{Anchor: page.Anchor(i), ID: v.ID(), Status: v.Status}
	if v.Reason != "" {
		p.Reasons = append(p.Reasons, reason{Status: v.Status, Message: v.Reason})
	}
	for _, d := range v.Verdicts {
		switch {
		case d.Status == verdict.Passed || d.Status == verdict.Skipped:
		case len(p.Reasons) >= mostReasons:
			p.More++
		default:
			p.Reasons = append(p.Reasons, reason{d.Status, d.Name, d.Message, d.KnownIssue})
		}
	}
	return p
}

func variantOf(i int, v verdict.Variant) *variant {
	view := &variant{Anchor: page.Anchor(i), V: v, Took: page.Short(v.Duration), Open: v.Status != verdict.Passed && v.Status != verdict.Skipped}
	view.Facts = append(view.Facts, fact{"scenario", v.File}, fact{"seed", fmt.Sprint(v.Seed)})
	if v.Provider != "" {
		view.Facts = append(view.Facts, fact{"provider", v.Provider})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Matrix)) {
		view.Facts = append(view.Facts, fact{name, v.Matrix[name]})
	}
	if v.Requests != nil {
		view.Facts = append(view.Facts, fact{"requests of Helm", v.Requests.String()})
	}
	for _, d := range v.Verdicts {
		if d.Kind == "step" {
			view.Steps = append(view.Steps, stepOf(d, v))
		} else {
			view.Assertions = append(view.Assertions, assertionOf(d))
		}
	}
	slices.SortStableFunc(view.Assertions, func(a, b *assertion) int {
		return slices.Index(statuses[:], a.V.Status) - slices.Index(statuses[:], b.V.Status)
	})
	return view
}

// offset is a time of the timeline.
func offset(d time.Duration) string { return fmt.Sprintf("+%.3fs", d.Seconds()) }
