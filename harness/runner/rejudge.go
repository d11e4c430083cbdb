package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

// ErrNoRun says that a folder holds no evidence of a run.
var ErrNoRun = errors.New("no evidence of a run here")

// Rejudge judges every bundle below dir again, which is a run's folder or a single bundle. Scenarios in instead, by
// name, are judged by the assertions given there. Nothing is written.
func Rejudge(dir string, c scenario.Catalog, instead map[string][]v1alpha1.Assertion) (verdict.Run, error) {
	out := verdict.Run{}
	if err := readRun(dir, &out); err != nil {
		return out, err
	}
	bundles, err := findBundles(dir)
	if err != nil {
		return out, err
	}
	for _, bundle := range bundles {
		v, err := rejudge(dir, bundle, c, instead)
		if err != nil {
			return out, err
		}
		out.Variants = append(out.Variants, v)
		out.Duration = max(out.Duration, v.Started.Add(v.Duration).Sub(out.Started))
	}
	return finish(out, false), nil
}

// readRun fills in what run.json says. A single bundle has none.
func readRun(dir string, out *verdict.Run) error {
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var run evidence.Run
	if err := json.Unmarshal(data, &run); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, runFile), err)
	}
	out.ID, out.Started, out.Args, out.Seed, out.Versions = run.ID, run.Started, run.Args, run.Seed, run.Versions
	return nil
}

// findBundles lists the folders with a plan, sorted.
func findBundles(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == planFile {
			found = append(found, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: %w: expected a folder of reports/runs, with a %s in it or below it", dir, ErrNoRun, planFile)
	}
	slices.Sort(found)
	return found, nil
}

func rejudge(dir, bundle string, c scenario.Catalog, instead map[string][]v1alpha1.Assertion) (verdict.Variant, error) {
	data, err := os.ReadFile(filepath.Join(bundle, planFile))
	if err != nil {
		return verdict.Variant{}, err
	}
	p, err := plan.Read(data, c)
	if err != nil {
		return verdict.Variant{}, fmt.Errorf("%s: %w", filepath.Join(bundle, planFile), err)
	}
	if assertions, ok := instead[p.Scenario.Metadata.Name]; ok {
		p.Scenario.Spec.Assert = assertions
	}
	v, err := Judge(bundle, p)
	if err != nil {
		return v, err
	}
	v.Dir, err = filepath.Rel(dir, bundle)
	carryOver(bundle, &v)
	return v, err
}

// carryOver takes from the first verdict what evidence does not tell: times, and a failure of the harness.
func carryOver(bundle string, v *verdict.Variant) {
	var first verdict.Variant
	data, err := os.ReadFile(filepath.Join(bundle, verdictFile))
	if err != nil || json.Unmarshal(data, &first) != nil {
		v.Reason = "the run was killed before it was judged"
		v.Status = verdict.Worst([]verdict.Status{v.Status, verdict.Inconclusive})
		return
	}
	v.Started, v.Duration, v.Reason = first.Started, first.Duration, first.Reason
	if first.Reason != "" {
		v.Status = verdict.Worst([]verdict.Status{v.Status, verdict.Errored})
	}
}

// finish sums up: the worst variant decides, an interruption over all, and clean-up that failed over a pass.
func finish(out verdict.Run, interrupted bool) verdict.Run {
	statuses := make([]verdict.Status, len(out.Variants))
	for i, v := range out.Variants {
		statuses[i] = v.Status
	}
	out.Status = verdict.Worst(statuses)
	out.ExitCode = verdict.ExitCode(out.Status)
	if out.CleanupErr != "" && out.ExitCode == verdict.ExitPassed {
		out.ExitCode = verdict.ExitCleanupIncomplete
	}
	if interrupted {
		out.ExitCode = verdict.ExitInterrupted
	}
	if out.Duration == 0 {
		out.Duration = time.Since(out.Started)
	}
	return out
}
