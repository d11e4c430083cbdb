package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

// Reasons why a run cannot be judged again.
var (
	// ErrNoRun says that a folder holds no evidence of a run.
	ErrNoRun = errors.New("no evidence of a run here")
	// ErrNotOneRun says that a folder is not that of a run, but one in which there are such folders.
	ErrNotOneRun = errors.New("not the folder of one run")
	// ErrNotRun says that a scenario whose assertions were to be tried is not among those that were run.
	ErrNotRun = errors.New("this scenario was not run")
)

// Rejudge judges every bundle below dir again, which is a run's folder or a single bundle. The variants of a scenario
// that has the name of one in instead are judged by the assertions of that one. Nothing is written.
func Rejudge(dir string, c scenario.Catalog, instead []scenario.File) (verdict.Run, error) {
	out := verdict.Run{}
	planned, whole, err := readRun(dir, &out)
	if err != nil {
		return out, err
	}
	if !whole {
		if err := noRunsBelow(dir); err != nil {
			return out, err
		}
	}
	bundles, err := findBundles(dir)
	if err != nil && !(errors.Is(err, ErrNoRun) && len(planned) > 0) {
		return out, err
	}
	byName := map[string]scenario.File{}
	for _, file := range instead {
		byName[file.Scenario.Metadata.Name] = file
	}
	for _, bundle := range bundles {
		v, err := rejudge(dir, bundle, c, byName)
		if err != nil {
			return out, err
		}
		out.Variants = append(out.Variants, v)
	}
	if !whole {
		out.ID = nameOf(dir, out.Variants)
	}
	takeTimes(&out)
	out.Variants = append(out.Variants, missing(planned, out.Variants)...)
	for _, file := range instead {
		if !slices.ContainsFunc(out.Variants, func(v verdict.Variant) bool { return v.Scenario == file.Scenario.Metadata.Name }) {
			return out, fmt.Errorf("%s: %w: %s", file.Path, ErrNotRun, file.Scenario.Metadata.Name)
		}
	}
	interrupted := out.Interrupted
	out = finish(out, false) // that it was is told; what it came to is for the verdicts to say
	out.Interrupted = interrupted
	return out, nil
}

// nameOf is what stands for a run's ID where only some of its variants are judged.
func nameOf(dir string, variants []verdict.Variant) string {
	if len(variants) == 1 {
		return variants[0].ID()
	}
	if full, err := filepath.Abs(dir); err == nil {
		dir = full
	}
	return filepath.Base(dir)
}

// takeTimes works out how long a run took, up to the end of its last variant, and when it began if no run.json says that.
func takeTimes(out *verdict.Run) {
	if out.Started.IsZero() {
		for _, v := range out.Variants {
			if out.Started.IsZero() || !v.Started.IsZero() && v.Started.Before(out.Started) {
				out.Started = v.Started
			}
		}
	}
	for _, v := range out.Variants {
		took := v.Duration
		if !v.Started.IsZero() { // else the evidence does not say when it began
			took += v.Started.Sub(out.Started)
		}
		out.Duration = max(out.Duration, took)
	}
}

// missing lists the variants that were to be run and left no bundle: nothing is known of them.
func missing(planned []evidence.Planned, judged []verdict.Variant) []verdict.Variant {
	var all []verdict.Variant
	for _, p := range planned {
		if slices.ContainsFunc(judged, func(v verdict.Variant) bool { return v.Dir == p.Dir }) {
			continue
		}
		v := verdict.Variant{
			Scenario: p.Scenario, Variant: p.Variant, File: p.File, Dir: p.Dir, Provider: p.Provider, Status: verdict.Inconclusive,
			Reason: "it left no evidence: the run ended before its turn came",
		}
		if p.NotHere != "" {
			v.Status, v.Reason = verdict.Skipped, notOn(p.Provider, p.NotHere)
		}
		all = append(all, v)
	}
	return all
}

// notOn says why a scenario is skipped on a provider.
func notOn(provider, because string) string { return "not on " + provider + ": " + because }

// readRun fills in what run.json says, and returns what was to be run. A single bundle has no run.json, and is no whole run.
func readRun(dir string, out *verdict.Run) (planned []evidence.Planned, whole bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, evidence.RunFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var run evidence.Run
	if err := json.Unmarshal(data, &run); err != nil {
		return nil, false, fmt.Errorf("%s: %w", filepath.Join(dir, evidence.RunFile), err)
	}
	out.ID, out.Started, out.Args, out.Seed, out.Versions = run.ID, run.Started, run.Args, run.Seed, run.Versions
	out.CleanupErr, out.Interrupted = run.CleanupErr, run.Interrupted
	return run.Planned, true, nil
}

// noRunsBelow refuses a folder that holds the folders of runs: what they say would become one verdict.
func noRunsBelow(dir string) error {
	runs, err := runsBelow(dir)
	if err != nil || len(runs) == 0 {
		return err
	}
	if len(runs) == 1 {
		return fmt.Errorf("%w: %s holds a run; name it: %s", ErrNotOneRun, dir, runs[0])
	}
	const most = 3
	named := strings.Join(runs[:min(len(runs), most)], ", ")
	if len(runs) > most {
		named += ", …"
	}
	return fmt.Errorf("%w: %s holds %d runs; name one of them: %s", ErrNotOneRun, dir, len(runs), named)
}

// runsBelow lists the folders of runs below dir, the newest first.
func runsBelow(dir string) ([]string, error) {
	var found []string
	began := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		var run verdict.Run
		_, whole, err := readRun(path, &run)
		if err == nil && !whole {
			return nil
		}
		found, began[path] = append(found, path), run.Started // one that cannot be read is a run as well
		return fs.SkipDir
	})
	slices.SortStableFunc(found, func(a, b string) int { return began[b].Compare(began[a]) })
	return found, err
}

// findBundles lists the folders with a plan, sorted.
func findBundles(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == evidence.PlanFile {
			found = append(found, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: %w: expected a folder of reports/runs, with a %s in it or below it", dir, ErrNoRun, evidence.PlanFile)
	}
	slices.Sort(found)
	return found, nil
}

func rejudge(dir, bundle string, c scenario.Catalog, instead map[string]scenario.File) (verdict.Variant, error) {
	data, err := os.ReadFile(filepath.Join(bundle, evidence.PlanFile))
	if err != nil {
		return verdict.Variant{}, err
	}
	p, err := plan.Read(data, c)
	if err != nil {
		return verdict.Variant{}, fmt.Errorf("%s: %w", filepath.Join(bundle, evidence.PlanFile), err)
	}
	other, tried := instead[p.Scenario.Metadata.Name]
	if tried {
		p.Scenario.Spec.Assert = other.Scenario.Spec.Assert
	}
	v, err := Judge(bundle, p)
	if err != nil {
		return v, err
	}
	if tried {
		place(v.Verdicts[len(v.Verdicts)-len(p.Scenario.Spec.Assert):], other)
	}
	v.Dir, err = filepath.Rel(dir, bundle)
	carryOver(bundle, &v)
	return v, err
}

// place says where the assertions stand that were judged instead of the run's own.
func place(assertions []verdict.Verdict, in scenario.File) {
	for i := range assertions {
		assertions[i].File, assertions[i].Line = in.Path, in.Lines[fmt.Sprintf("assert[%d]", i)]
	}
}

// carryOver takes from the first verdict what evidence does not tell: how long all took, and a failure of the harness.
func carryOver(bundle string, v *verdict.Variant) {
	var first verdict.Variant
	data, err := os.ReadFile(filepath.Join(bundle, evidence.VerdictFile))
	if err != nil || json.Unmarshal(data, &first) != nil {
		v.Reason = "the run was killed before it was judged"
		v.Status = verdict.Worst([]verdict.Status{v.Status, verdict.Inconclusive})
		return
	}
	v.Started, v.Duration = first.Started, first.Duration
	if first.Reason != "" && first.Status != verdict.Skipped {
		v.Reason = first.Reason
		v.Status = verdict.Worst([]verdict.Status{v.Status, verdict.Errored})
	}
}

// finish sums up: which versions of Kubernetes the clusters had, and what became of the run: the worst variant decides, an
// interruption over all, and clean-up that failed over a pass and an interruption: who interrupts a run knows that, but not
// what is left of it.
func finish(out verdict.Run, interrupted bool) verdict.Run {
	statuses := make([]verdict.Status, len(out.Variants))
	var versions []string
	for i, v := range out.Variants {
		statuses[i] = v.Status
		if v.Kubernetes != "" {
			versions = append(versions, v.Kubernetes)
		}
	}
	if len(versions) > 0 { // else no cluster was there to have any
		out.Versions = withKubernetes(out.Versions, strings.Join(each(versions), ", "))
	}
	out.Status = verdict.Worst(statuses)
	out.ExitCode = verdict.ExitCode(out.Status)
	if out.Interrupted = interrupted; interrupted {
		out.ExitCode = verdict.ExitInterrupted
	}
	if out.CleanupErr != "" && (out.ExitCode == verdict.ExitPassed || interrupted) {
		out.ExitCode = verdict.ExitCleanupIncomplete
	}
	return out
}
