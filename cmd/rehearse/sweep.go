package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/sweep"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports"
	report "rehearse.dev/rehearse/reports/sweep"
)

// The reports of a sweep, in its run's folder.
const (
	sweepJSON     = "sweep.json"
	sweepMarkdown = "sweep.md"
	sweepHTML     = "sweep.html"
)

// sweepFlags are the flags of rehearse sweep.
type sweepFlags struct {
	run         runFlags
	step        string
	variant     string
	cuts, ways  []string
	writes      []int
	mustRecover bool
	all         bool
}

func newSweepCmd() *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:   "sweep FILE --step STEP",
		Short: "Break a step at each of its writes, and see what recovers it",
		Long: `Sweep rehearses a scenario up to an upgrade or a rollback and records what Helm writes in it. Then it rehearses that again for
each of the writes, each way to break the step there, and each way to recover: helm killed before or after the write, its
response lost, the write refused with 409 or 500; and then one plain rollback, or one plain upgrade. The recovery matrix says
what state each left the release in, and what recovers it. It goes, with every cell explained, to sweep.html, sweep.md and
sweep.json in the run's folder, beside the evidence.

Exit codes: 0 the matrix is complete, 1 a cell recovers by nothing and --must-recover was given, 2 usage or an invalid file,
3 the harness or its infrastructure failed, 4 nothing can be said of a cell, 5 clean-up incomplete, 130 interrupted,
and everything was cleaned up.`,
		Example: `  rehearse sweep scenarios/live/clean-rollback.yaml --step back
  rehearse sweep my.yaml --step v2 --cut killedAfter,conflict --recover rollback --must-recover
  rehearse sweep my.yaml --step v2 --write 3,4 --all --seed 7
  rehearse sweep my.yaml --step v2 --output json | jq '.cells[] | select(.left.live == "between")'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.step, "step", "", "the step to break (required): an upgrade or a rollback")
	flags.StringVar(&f.variant, "variant", "", "the variant of a scenario with a matrix, for example serverSide=auto")
	flags.StringSliceVar(&f.cuts, "cut", nil, "ways to break it; all if empty: "+names(sweep.Cuts()))
	flags.StringSliceVar(&f.ways, "recover", nil, "ways to recover; all if empty: "+names(sweep.Ways()))
	flags.IntSliceVar(&f.writes, "write", nil, "only these writes, by their numbers in the matrix; all if empty")
	flags.BoolVar(&f.mustRecover, "must-recover", false, "fail if a cell recovers by none of the ways")
	flags.BoolVar(&f.all, "all", false, "tell every cell in words, not only those that recover by nothing")
	flags.Var((*seed)(&f.run.selection.seed), "seed", "seed of everything random, from 1, instead of the scenario's own")
	flags.StringVar(&f.run.selection.provider, "provider", "", providerUsage())
	flags.IntVarP(&f.run.parallel, "parallel", "p", max(2, 2*runtime.NumCPU()), "how many variants run at once")
	f.run.addPlaces(flags)
	_ = cmd.MarkFlagRequired("step") // it was defined above
	return cmd
}

func names[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = string(one)
	}
	return strings.Join(texts, ", ")
}

func (f *sweepFlags) do(ctx context.Context, stdout, stderr io.Writer, path string) error {
	if err := f.run.check(); err != nil {
		return usageError(err)
	}
	attached, err := f.run.attach(ctx)
	if err != nil {
		return err
	}
	s, err := f.sweep(ctx, path)
	if err != nil {
		return tellMistakes(stderr, err)
	}
	reporter := progress.New(stderr, os.Getenv)
	defer reporter.Close()
	cfg, err := f.run.config(reporter, attached)
	if err != nil {
		return harnessError(err)
	}
	tries, ref, err := f.record(ctx, cfg, s)
	if err != nil {
		return err
	}
	plans := make([]plan.Plan, len(tries))
	for i, try := range tries {
		plans[i] = try.Plan
	}
	out, err := runner.Run(ctx, cfg, plans)
	if err != nil {
		return harnessError(err)
	}
	m := sweep.Matrix{Scenario: s.Plan.ID(), Step: s.Step, Seed: s.Plan.Seed, Cuts: s.Cuts, Ways: s.Ways}
	for i, try := range tries {
		b, problem := bundleOf(cfg.Dir, out.Variants[i])
		m.Add(try, b, ref, problem)
	}
	page := filepath.Join(cfg.Dir, sweepHTML)
	unwritten := errors.Join(reports.WriteAll(cfg.Dir, out), writeSweep(cfg.Dir, m, out))
	if unwritten != nil {
		page = ""
	}
	reporter.Finish(out, page)
	return orUnwritten(f.conclude(stdout, out, m), unwritten)
}

// sweep reads the scenario and the flags. Its error may be of type scenario.Mistakes.
func (f *sweepFlags) sweep(ctx context.Context, path string) (sweep.Sweep, error) {
	s := sweep.Sweep{Step: f.step, Options: plan.Options{Seed: f.run.selection.seed, Provider: f.run.selection.provider}}
	var err error
	if s.Cuts, err = sweep.ParseCuts(f.cuts); err != nil {
		return s, fmt.Errorf("--cut: %w", err)
	}
	if s.Ways, err = sweep.ParseWays(f.ways); err != nil {
		return s, fmt.Errorf("--recover: %w", err)
	}
	files, err := scenario.Load([]string{path}, runner.Catalog())
	if err != nil {
		return s, err
	}
	if len(files) != 1 {
		return s, fmt.Errorf("%s holds %d scenarios; a sweep takes one", path, len(files))
	}
	s.File = files[0]
	if s.Plan, err = f.choose(s.File, s.Options); err != nil {
		return s, err
	}
	if err := s.Check(); err != nil {
		return s, err
	}
	prepared, err := f.run.selection.prepare(ctx, []plan.Plan{s.Plan})
	if err != nil {
		return s, err
	}
	s.Plan = prepared[0]
	return s, nil
}

// choose compiles the one variant that is meant.
func (f *sweepFlags) choose(file scenario.File, options plan.Options) (plan.Plan, error) {
	plans, err := plan.Compile(file, options)
	if err != nil {
		return plan.Plan{}, err
	}
	if len(plans) == 1 && f.variant == "" {
		return plans[0], nil
	}
	var variants []string
	for _, p := range plans {
		if p.Variant == f.variant {
			return p, nil
		}
		variants = append(variants, p.Variant)
	}
	return plan.Plan{}, fmt.Errorf("--variant %q: %s has the variants %s; name one of them", f.variant, file.Path, strings.Join(variants, "; "))
}

// record rehearses the scenario once with nothing broken, and plans the tries by what Helm wrote.
func (f *sweepFlags) record(ctx context.Context, cfg runner.Config, s sweep.Sweep) ([]sweep.Try, *sweep.Reference, error) {
	recording, err := s.Recording()
	if err != nil {
		return nil, nil, usageError(err)
	}
	cfg.ID += "-recording"
	cfg.Dir += "-recording"
	out, err := runner.Run(ctx, cfg, []plan.Plan{recording})
	if err != nil {
		return nil, nil, harnessError(err)
	}
	b, err := bundleOf(cfg.Dir, out.Variants[0])
	if err != nil {
		return nil, nil, &exitError{code: max(out.ExitCode, verdict.ExitFailed), err: fmt.Errorf("recording step %s, with nothing broken: %w (see %s)", s.Step, err, cfg.Dir)}
	}
	if out.CleanupErr != "" { // what is left would be in the way of the tries
		return nil, nil, &exitError{code: verdict.ExitCleanupIncomplete, err: fmt.Errorf("recording step %s: %s; rehearse gc removes what is left", s.Step, out.CleanupErr)}
	}
	writes, err := sweep.Writes(b, s.Step)
	if err == nil {
		writes, err = f.chosen(writes)
	}
	if err != nil {
		return nil, nil, usageError(err)
	}
	ref, err := sweep.NewReference(b, s.Step, recording.Scenario.Spec.Release.FieldManager)
	if err != nil {
		return nil, nil, harnessError(err)
	}
	tries, err := s.Tries(writes, sweep.Deployed(b, s.Step))
	if err != nil {
		return nil, nil, harnessError(err)
	}
	return tries, ref, nil
}

// chosen are the writes that --write names.
func (f *sweepFlags) chosen(writes []sweep.Write) ([]sweep.Write, error) {
	if len(f.writes) == 0 {
		return writes, nil
	}
	var some []sweep.Write
	for _, n := range f.writes {
		if n < 1 || n > len(writes) {
			return nil, fmt.Errorf("--write %d: the step has writes 1 to %d", n, len(writes))
		}
		if !slices.Contains(some, writes[n-1]) {
			some = append(some, writes[n-1])
		}
	}
	return some, nil
}

// bundleOf reads the evidence of a variant, which must have come to a verdict of some use.
func bundleOf(dir string, v verdict.Variant) (*evidence.Bundle, error) {
	if v.Status != verdict.Passed {
		for _, one := range v.Verdicts {
			if one.Status == v.Status {
				return nil, fmt.Errorf("%s: %s: %s", v.Status, one.Name, one.Message)
			}
		}
		return nil, fmt.Errorf("%s: %s", v.Status, v.Reason)
	}
	return evidence.Load(filepath.Join(dir, v.Dir))
}

func writeSweep(dir string, m sweep.Matrix, out verdict.Run) error {
	var text, page strings.Builder
	if err := errors.Join(report.WriteMarkdown(&text, m), report.WriteHTML(&page, m, out)); err != nil {
		return err
	}
	return errors.Join(
		evidence.WriteFile(dir, sweepJSON, m),
		evidence.WithRemedy(os.WriteFile(filepath.Join(dir, sweepMarkdown), []byte(text.String()), 0o644)),
		evidence.WithRemedy(os.WriteFile(filepath.Join(dir, sweepHTML), []byte(page.String()), 0o644)),
	)
}

func (f *sweepFlags) conclude(stdout io.Writer, out verdict.Run, m sweep.Matrix) error {
	var err error
	if f.run.output == "json" {
		err = printJSON(stdout, m)
	} else {
		err = report.WriteText(stdout, m, f.all)
	}
	switch {
	case err != nil:
		return harnessError(fmt.Errorf("writing the matrix: %w", err))
	case out.ExitCode != verdict.ExitPassed:
		return &exitError{code: out.ExitCode}
	case !m.Conclusive():
		return &exitError{code: verdict.ExitInconclusive}
	case f.mustRecover && len(m.Lost()) > 0:
		return &exitError{code: verdict.ExitFailed, err: fmt.Errorf("%s by nothing", count(len(m.Lost()), "cell recovers", "cells recover"))}
	}
	return nil
}
