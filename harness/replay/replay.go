// Package replay reads a run that is to be run again, makes the plans of its replays, and tells in which order the faults
// of a run fired. It is pure: it makes plans, and reads bundles.
package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

// Reasons why a run cannot be replayed.
var (
	// ErrNoRun says that a folder holds neither a run nor a variant of one.
	ErrNoRun = errors.New("no run that could be replayed")
	// ErrNotWhole says that a run's evidence lacks what a replay is to be compared with.
	ErrNotWhole = errors.New("the evidence is not whole")
	// ErrHidden says that a scenario holds secret values, which the evidence has only as hashes.
	ErrHidden = errors.New("secret values are not in the evidence")
	// ErrChanged says that a replay would read other charts or value files than the run did.
	ErrChanged = errors.New("what the run read has changed")
)

// Original is a run that is to be replayed.
type Original struct {
	ID string
	// Versions are those of the programs and libraries that took part; empty if that is not known.
	Versions map[string]string
	// Variants are those that were run, in the run's order.
	Variants []Variant
	// LeftOut are those that were skipped, and why.
	LeftOut []LeftOut
}

// LeftOut is a variant that is not replayed.
type LeftOut struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Variant is one variant of the run.
type Variant struct {
	// Plan is what was run.
	Plan plan.Plan
	// Outcome is what became of it, as it was judged at the end of the run.
	Outcome verdict.Variant
	// Firings are those of its faults.
	Firings []Firing
}

// Load reads the run in dir, or the one variant whose bundle is there. If scenarios are named, the run's others are as if
// they had not been run.
func Load(dir string, c scenario.Catalog, only ...string) (Original, error) {
	if _, err := os.Stat(filepath.Join(dir, evidence.PlanFile)); err == nil {
		return loadOne(dir, c)
	}
	var run evidence.Run
	err := readJSON(dir, evidence.RunFile, &run)
	if errors.Is(err, fs.ErrNotExist) {
		return Original{}, fmt.Errorf("%w: %s has neither a %s nor a %s; name a folder of reports/runs, or a variant's folder in one", ErrNoRun, dir, evidence.RunFile, evidence.PlanFile)
	}
	if err != nil {
		return Original{}, err
	}
	o := Original{ID: run.ID, Versions: run.Versions}
	problems := []error{unknown(only, run.Planned)}
	for _, p := range run.Planned {
		if len(only) > 0 && !slices.Contains(only, p.Scenario) {
			continue
		}
		if p.NotHere != "" {
			o.LeftOut = append(o.LeftOut, LeftOut{idOf(p), "it was skipped: not on " + p.Provider + ": " + p.NotHere})
			continue
		}
		problems = append(problems, o.add(filepath.Join(dir, p.Dir), c))
	}
	return o, errors.Join(problems...)
}

// unknown says which of the names are those of no scenario.
func unknown(names []string, planned []evidence.Planned) error {
	for _, name := range names {
		if !slices.ContainsFunc(planned, func(p evidence.Planned) bool { return p.Scenario == name }) {
			return fmt.Errorf("%w: scenario %s is not among those that were run", ErrNoRun, name)
		}
	}
	return nil
}

func idOf(p evidence.Planned) string {
	return verdict.Variant{Scenario: p.Scenario, Variant: p.Variant}.ID()
}

// loadOne reads a bundle as a run of one variant.
func loadOne(dir string, c scenario.Catalog) (Original, error) {
	o := Original{ID: filepath.Base(filepath.Clean(dir))}
	err := o.add(dir, c)
	if err == nil && len(o.Variants) > 0 {
		o.ID = o.Variants[0].Plan.ID()
	}
	return o, err
}

// add reads the bundle of one variant.
func (o *Original) add(dir string, c scenario.Catalog) error {
	var v Variant
	if err := missing(dir); err != nil {
		return err
	}
	if err := readJSON(dir, evidence.VerdictFile, &v.Outcome); err != nil {
		return err
	}
	if v.Outcome.Status == verdict.Skipped {
		o.LeftOut = append(o.LeftOut, LeftOut{v.Outcome.ID(), "it was skipped: " + v.Outcome.Reason})
		return nil
	}
	data, err := os.ReadFile(filepath.Join(dir, evidence.PlanFile))
	if err != nil {
		return err
	}
	if v.Plan, err = plan.Read(data, c); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, evidence.PlanFile), err)
	}
	b, err := evidence.Load(dir)
	if err != nil {
		return err
	}
	if len(b.Truncated) > 0 {
		return fmt.Errorf("%s: %w: %s ends in the middle of a line", dir, ErrNotWhole, strings.Join(b.Truncated, ", "))
	}
	if v.Firings, err = Firings(b); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if o.Versions == nil {
		o.Versions = b.Variant.Versions
	}
	o.Variants = append(o.Variants, v)
	return nil
}

// missing says which files a bundle lacks.
func missing(dir string) error {
	var lacks []string
	for _, name := range []string{
		evidence.PlanFile, evidence.VariantFile, evidence.TimelineFile, evidence.ObjectsFile, evidence.SnapshotsFile, evidence.VerdictFile,
	} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: there is no %s; a run that was ended before its time leaves less (the folder of a variant that is whole can be replayed by itself)",
		dir, ErrNotWhole, strings.Join(lacks, ", no "))
}

func readJSON(dir, name string, into any) error {
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
