package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/replay"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports"
	report "rehearse.dev/rehearse/reports/replay"
)

// replayJSON is the report of the replays, in their run's folder.
const replayJSON = "replay.json"

// replayFlags are the flags of rehearse replay.
type replayFlags struct {
	run          runFlags
	times        int
	only         []string
	allowChanged bool
}

func newReplayCmd() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay RUN",
		Short: "Run an earlier run again, and see whether it comes to the same",
		Long: `Replay runs every variant of an earlier run again, with the seed, the steps and the faults that its evidence says, whatever has
become of the scenario files since, and holds each replay against the run: the verdict of every step, fault and assertion, and
the order in which faults fired, each at which request or object. It names the first difference. RUN is a folder of
reports/runs, or the folder of one variant in there. Charts and value files are read again; if one of them has changed, nothing
is run.

All replays are one run, with evidence and reports in a folder of its own below --reports, and replay.json says there what was
the same.

Exit codes: 0 every replay came to the same, whatever that was, 1 one did not, 2 usage, or the run cannot be replayed, 3 the
harness or its infrastructure failed, 5 clean-up incomplete, 130 interrupted, and everything was cleaned up.`,
		Example: `  rehearse replay reports/runs/20260314-101502-k3x9ab
  rehearse replay reports/runs/20260314-101502-k3x9ab --times 20 --parallel 8
  rehearse replay reports/runs/20260314-101502-k3x9ab --only api-reset,api-conflict --times 20
  rehearse replay reports/runs/20260314-101502-k3x9ab/api-internal-error
  rehearse replay reports/runs/20260314-101502-k3x9ab --provider kind --output json | jq '.same == .times'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&f.times, "times", "n", 1, "how often to replay the run")
	flags.StringSliceVar(&f.only, "only", nil, "only these scenarios of the run; all if empty")
	flags.BoolVar(&f.allowChanged, "allow-changed", false, "replay even if a chart or a value file has changed since the run")
	flags.StringVar(&f.run.selection.provider, "provider", "", providerUsage())
	flags.IntVarP(&f.run.parallel, "parallel", "p", max(2, 2*runtime.NumCPU()), "how many variants run at once, of all replays together")
	f.run.addPlaces(flags)
	return cmd
}

func (f *replayFlags) do(ctx context.Context, stdout, stderr io.Writer, dir string) error {
	if err := f.run.check(); err != nil {
		return usageError(err)
	}
	if f.times < 1 {
		return usageError(fmt.Errorf("--times is %d; it must be at least 1", f.times))
	}
	attached, err := f.run.attach(ctx)
	if err != nil {
		return err
	}
	original, err := replay.Load(dir, runner.Catalog(), f.only...)
	if err != nil {
		return usageError(fmt.Errorf("replaying: %w", err))
	}
	plans, notes, err := f.plans(ctx, &original)
	if err != nil {
		return tellMistakes(stderr, fmt.Errorf("replaying %s: %w", dir, err))
	}
	reporter := progress.New(stderr, os.Getenv)
	defer reporter.Close()
	cfg, err := f.run.config(reporter, attached)
	if err != nil {
		return harnessError(err)
	}
	out, err := runner.Run(ctx, cfg, f.all(plans))
	if err != nil {
		return harnessError(err)
	}
	reporter.Close()
	outcome := f.outcome(original, notes, out, cfg.Dir)
	unwritten := errors.Join(reports.WriteAll(cfg.Dir, out), evidence.WriteFile(cfg.Dir, replayJSON, outcome))
	return orUnwritten(f.conclude(stdout, out, outcome), unwritten)
}

// plans are those of one replay, and what is to be said of them.
func (f *replayFlags) plans(ctx context.Context, original *replay.Original) (plans []plan.Plan, notes []string, err error) {
	if plans, err = original.Plans(runner.Catalog(), f.run.selection.provider); err != nil {
		return nil, nil, err
	}
	if plans, err = f.run.selection.prepare(ctx, plans); err != nil {
		return nil, nil, err
	}
	unknown, err := original.Changed(plans)
	switch {
	case err != nil && !f.allowChanged:
		return nil, nil, fmt.Errorf("%w; put it back, or state --allow-changed", err)
	case err != nil:
		notes = append(notes, err.Error())
	}
	if plans = original.Without(plans); len(plans) == 0 {
		return nil, nil, errors.New("every variant of it is skipped")
	}
	if len(unknown) > 0 {
		notes = append(notes, "the evidence does not say what the charts held, which are taken as they are: "+strings.Join(unknown, ", "))
	}
	if was := original.Variants[0].Plan.Needs.Provider; was != plans[0].Needs.Provider {
		notes = append(notes, fmt.Sprintf("the provider was %s, and is %s", was, plans[0].Needs.Provider))
	}
	return plans, append(notes, otherVersions(original.Versions, versions())...), nil
}

// otherVersions tells which programs and libraries are not those of the run.
func otherVersions(then, now map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was := then[name]; was != "" && was != now[name] {
			all = append(all, fmt.Sprintf("%s was %s, and is %s", name, was, now[name]))
		}
	}
	return all
}

// all are the plans of all replays, one replay after the other.
func (f *replayFlags) all(plans []plan.Plan) []plan.Plan {
	var all []plan.Plan
	for n := 1; n <= f.times; n++ {
		for _, p := range plans {
			all = append(all, replay.Numbered(p, n))
		}
	}
	return all
}

// outcome compares those replays that no interruption cut short.
func (f *replayFlags) outcome(original replay.Original, notes []string, out verdict.Run, dir string) report.Outcome {
	outcome := report.Outcome{Run: original.ID, Times: f.times, Notes: notes, LeftOut: original.LeftOut, Replays: []report.Replay{}}
	size := len(original.Variants)
	for n := 1; n <= f.times; n++ {
		variants := out.Variants[(n-1)*size : n*size]
		if out.Interrupted && slices.ContainsFunc(variants, cutShort) {
			continue
		}
		outcome.Add(n, original, variants, dir)
	}
	return outcome
}

func cutShort(v verdict.Variant) bool {
	return v.Status == verdict.Skipped || v.Status == verdict.Errored
}

func (f *replayFlags) conclude(stdout io.Writer, out verdict.Run, outcome report.Outcome) error {
	var err error
	if f.run.output == "json" {
		err = printJSON(stdout, outcome)
	} else {
		err = report.WriteText(stdout, outcome)
	}
	switch {
	case err != nil:
		return harnessError(fmt.Errorf("writing the outcome: %w", err))
	case out.Interrupted:
		says := fmt.Sprintf("interrupted: %d of %d replays were run whole", len(outcome.Replays), f.times)
		if out.CleanupErr != "" {
			says += "; " + out.CleanupErr
		}
		return &exitError{code: out.ExitCode, err: errors.New(says)}
	case outcome.Errored():
		return &exitError{code: verdict.ExitErrored}
	case outcome.Same < outcome.Times:
		return &exitError{code: verdict.ExitFailed}
	case out.CleanupErr != "":
		return &exitError{code: verdict.ExitCleanupIncomplete, err: errors.New(out.CleanupErr)}
	}
	return nil
}
