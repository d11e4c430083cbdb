package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports"
	"rehearse.dev/rehearse/reports/json"
)

// judgeFlags are the flags of rehearse judge.
type judgeFlags struct {
	with   []string
	write  bool
	output string
	junit  junitFlags
}

func newJudgeCmd() *cobra.Command {
	var f judgeFlags
	cmd := &cobra.Command{
		Use:   "judge RUN",
		Short: "Judge the evidence of an earlier run again, offline",
		Long: `Judge reads the evidence in a run's folder and judges it again. It talks to no cluster and, without --write, changes nothing, so the
same evidence gives the same verdicts, and new assertions can be tried on an old run. RUN is a folder of reports/runs, or the
folder of one variant in there. The exit codes are those of run: 5 if the run had left something, whatever has become of that.`,
		Example: `  rehearse judge reports/runs/20260314-101502-k3x9ab
  rehearse judge reports/runs/20260314-101502-k3x9ab --with scenarios/ownership/scaler.yaml
  rehearse judge reports/runs/20260314-101502-k3x9ab --write --output json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.judge(cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.with, "with", nil, "take the assertions of this scenario file instead of those of the run; may be repeated")
	flags.BoolVar(&f.write, "write", false, "write the reports in the run's folder anew")
	flags.StringVarP(&f.output, "output", "o", "text", "what goes to standard output: text or json")
	f.junit.add(flags)
	return cmd
}

func (f *judgeFlags) judge(stdout, stderr io.Writer, dir string) error {
	if err := checkOutput(f.output); err != nil {
		return usageError(err)
	}
	if f.write && len(f.with) > 0 {
		return usageError(errors.New("--write and --with exclude each other: a run's reports tell of its own assertions"))
	}
	form, err := f.junit.option()
	if err != nil {
		return usageError(err)
	}
	instead, err := f.instead()
	if err != nil {
		return tellMistakes(stderr, err)
	}
	out, err := runner.Rejudge(dir, runner.Catalog(), instead)
	if err != nil {
		return usageError(fmt.Errorf("judging %s: %w", dir, err))
	}
	end := ending{progress.New(stderr, os.Getenv), stdout, f.output}
	if f.write {
		return end.report(dir, out, form)
	}
	return end.conclude(out, "")
}

// instead reads the scenarios whose assertions are to be tried.
func (f *judgeFlags) instead() ([]scenario.File, error) {
	if len(f.with) == 0 {
		return nil, nil
	}
	return scenario.Load(f.with, runner.Catalog())
}

// ending is where the outcome of a run is told, and how.
type ending struct {
	reporter progress.Reporter
	stdout   io.Writer
	output   string
}

// report writes the reports into dir, the run's folder, and concludes: a report that cannot be written hides no verdict.
func (e ending) report(dir string, out verdict.Run, form reports.Option) error {
	page := filepath.Join(dir, htmlReport)
	unwritten := reports.WriteAll(dir, out, form)
	if _, err := os.Stat(page); err != nil {
		page = ""
	}
	return orUnwritten(e.conclude(out, page), unwritten)
}

// orUnwritten is the error of a command that has told an outcome, err, of which not everything could be written. That
// something is left is to be known all the same.
func orUnwritten(err, unwritten error) error {
	var told *exitError
	switch {
	case unwritten == nil:
		return err
	case errors.As(err, &told) && told.code == verdict.ExitCleanupIncomplete:
		return &exitError{code: told.code, err: errors.Join(told.err, unwritten)}
	}
	return harnessError(unwritten)
}

// conclude shows the outcome and turns it into the program's exit code.
func (e ending) conclude(out verdict.Run, report string) error {
	e.reporter.Finish(out, report)
	if e.output == "json" {
		if err := json.Write(e.stdout, out); err != nil {
			return harnessError(err)
		}
	}
	if out.ExitCode == verdict.ExitPassed {
		return nil
	}
	return &exitError{code: out.ExitCode}
}
