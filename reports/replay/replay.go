// Package replay tells whether the replays of a run came to the same as the run: the same verdicts, and the same order of
// firings.
package replay

import (
	"fmt"
	"path/filepath"
	"slices"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/replay"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/compare"
)

// Outcome is what became of the replays of a run.
type Outcome struct {
	// Run is the run that was replayed.
	Run string `json:"run"`
	// Times is how often it was to be replayed, Same how many of the replays came to the same.
	Times int `json:"times"`
	Same  int `json:"same"`
	// Notes say what else was not as in the run, such as the version of Helm.
	Notes   []string         `json:"notes,omitempty"`
	LeftOut []replay.LeftOut `json:"leftOut,omitempty"`
	// Replays are those that were run whole.
	Replays []Replay `json:"replays"`
}

// Replay is one replay of the run.
type Replay struct {
	Number   int       `json:"number"`
	Variants []Variant `json:"variants"`
	Same     bool      `json:"same"`
}

// Variant is one variant of the run in a replay.
type Variant struct {
	ID   string `json:"id"`
	Seed int64  `json:"seed"`
	// Verdicts and Firings are how many there were in the run to be compared.
	Verdicts int `json:"verdicts"`
	Firings  int `json:"firings"`
	// Differing are the verdicts that differ, Firing is where the order of the firings does first.
	Differing []Verdict          `json:"differing,omitempty"`
	Firing    *replay.Difference `json:"firing,omitempty"`
	// Errored is why the replay failed as a whole, where the run had not.
	Errored string `json:"errored,omitempty"`
	Same    bool   `json:"same"`
	// Dir is the replay's bundle.
	Dir string `json:"dir"`
}

// Verdict is a verdict that differs.
type Verdict struct {
	Name    string         `json:"name"`
	Then    verdict.Status `json:"then"`
	Now     verdict.Status `json:"now"`
	Message string         `json:"message,omitempty"`
}

// Add compares the n-th replay with the run. outcomes are those of its variants in the run's order, whose bundles are below
// dir.
func (o *Outcome) Add(n int, original replay.Original, outcomes []verdict.Variant, dir string) {
	r := Replay{Number: n, Same: true}
	for i, then := range original.Variants {
		v := compared(then, outcomes[i], dir)
		r.Variants = append(r.Variants, v)
		r.Same = r.Same && v.Same
	}
	if r.Same {
		o.Same++
	}
	o.Replays = append(o.Replays, r)
}

func compared(then replay.Variant, now verdict.Variant, dir string) Variant {
	v := Variant{
		ID: then.Outcome.ID(), Seed: then.Plan.Seed, Verdicts: len(then.Outcome.Verdicts), Firings: len(then.Firings),
		Dir: filepath.Join(dir, now.Dir),
	}
	v.Differing = verdicts(then.Outcome, now)
	if now.Status == verdict.Errored && then.Outcome.Status != verdict.Errored {
		v.Errored = now.Reason
		if v.Errored == "" {
			v.Errored = "the harness or its infrastructure failed"
		}
	}
	if firings, err := firings(v.Dir); err == nil {
		v.Firing = replay.Compare(then.Firings, firings)
	} else if v.Errored == "" && now.Status != verdict.Skipped {
		v.Errored = err.Error()
	}
	v.Same = len(v.Differing) == 0 && v.Firing == nil && v.Errored == ""
	return v
}

func firings(dir string) ([]replay.Firing, error) {
	b, err := evidence.Load(dir)
	if err != nil {
		return nil, err
	}
	return replay.Firings(b)
}

// verdicts are those that differ. Of two runs on two providers what is skipped on one of them is no difference; of a run and
// its replay it is.
func verdicts(then, now verdict.Variant) []Verdict {
	now.Scenario, now.Variant = then.Scenario, then.Variant
	both := compare.Runs(verdict.Run{Variants: []verdict.Variant{then}}, verdict.Run{Variants: []verdict.Variant{now}})
	var all []Verdict
	for _, row := range both.Variants[0].Verdicts {
		if !row.Same {
			all = append(all, Verdict{Name: row.Name, Then: row.Statuses[0], Now: row.Statuses[1], Message: row.Messages[1]})
		}
	}
	if then.Status != now.Status && len(all) == 0 {
		all = append(all, Verdict{Name: "the variant as a whole", Then: then.Status, Now: now.Status, Message: now.Reason})
	}
	return all
}

// Errored reports whether a replay failed for a reason that is the harness's own.
func (o Outcome) Errored() bool {
	return slices.ContainsFunc(o.Replays, func(r Replay) bool {
		return slices.ContainsFunc(r.Variants, func(v Variant) bool { return v.Errored != "" })
	})
}

// Size says what is compared in each replay.
func (o Outcome) Size() string {
	if len(o.Replays) == 0 {
		return "nothing was compared"
	}
	verdicts, firings := o.Replays[0].size()
	return fmt.Sprintf("%d variants, %d verdicts and %d firings each", len(o.Replays[0].Variants), verdicts, firings)
}

func (r Replay) size() (verdicts, firings int) {
	for _, v := range r.Variants {
		verdicts += v.Verdicts
		firings += v.Firings
	}
	return verdicts, firings
}
