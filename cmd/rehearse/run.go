package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports"
	"rehearse.dev/rehearse/reports/junit"
)

// runFlags are the flags of rehearse run.
type runFlags struct {
	selection selection
	parallel  int
	keep      bool
	failFast  bool
	noSkips   bool
	output    string
	reports   string
	cluster   string
	id        string
	junit     junitFlags
}

func newRunCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run PATH...",
		Short: "Rehearse scenarios and judge what became of them",
		Long: `Run rehearses every scenario in the files, folders and globs given, in every variant of its matrix, and judges
each from the evidence it left. Evidence and reports go to a folder of their own below --reports.

Exit codes: 0 all passed, 1 an assertion or a step failed, 2 usage or an invalid file, 3 the harness or its
infrastructure failed, 4 inconclusive, 5 passed or interrupted, but clean-up is incomplete, 130 interrupted,
and everything was cleaned up.`,
		Example: `  rehearse run scenarios
  rehearse run scenarios/ownership/scaler.yaml --seed 7
  rehearse run scenarios --label area=ownership --parallel 8 --fail-fast
  rehearse run my-chart/rehearsals/*.yaml --output json | jq .status`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args)
		},
	}
	flags := cmd.Flags()
	f.selection.add(flags)
	flags.IntVarP(&f.parallel, "parallel", "p", max(2, 2*runtime.NumCPU()), "how many variants run at once")
	flags.BoolVar(&f.keep, "keep", false, "at the end leave everything as it is, print how to reach it, and wait for Ctrl-C")
	flags.BoolVar(&f.failFast, "fail-fast", false, "start no further variant once one has not passed")
	flags.BoolVar(&f.noSkips, "no-skips", false, "exit with 4 if a scenario was skipped of which nothing said before that this provider cannot run it")
	f.addPlaces(flags)
	f.junit.add(flags)
	return cmd
}

// addPlaces adds the flags that say where things are and go.
func (f *runFlags) addPlaces(flags *pflag.FlagSet) {
	flags.StringVarP(&f.output, "output", "o", "text", "what goes to standard output: text or json")
	flags.StringVar(&f.reports, "reports", filepath.Join("reports", "runs"), "folder in which the run's folder is made")
	flags.StringVar(&f.cluster, "cluster", "", "use this cluster, made by rehearse cluster up, instead of booting one")
	addKubeBin(flags, &f.selection.kubeBin)
	flags.StringVar(&f.id, "run-id", "", "name of the run and of its folder, which must not exist yet; made from the time if empty")
}

func (f *runFlags) run(ctx context.Context, stdout, stderr io.Writer, paths []string) error {
	if err := f.check(); err != nil {
		return usageError(err)
	}
	report, err := f.junit.option()
	if err != nil {
		return usageError(err)
	}
	attached, err := f.attach(ctx)
	if err != nil {
		return err
	}
	reporter := progress.New(stderr, os.Getenv)
	defer reporter.Close()
	plans, err := f.selection.plansTold(ctx, progress.For(reporter, ""), paths)
	if err != nil {
		reporter.Close()
		return tellMistakes(stderr, err)
	}
	cfg, err := f.config(reporter, attached)
	if err != nil {
		return harnessError(err)
	}
	cfg.Linger = f.linger(reporter, cfg.Dir, report)
	out, err := runner.Run(ctx, cfg, plans)
	if err != nil {
		return harnessError(err)
	}
	err = (ending{reporter, stdout, f.output}).report(cfg.Dir, out, report)
	if err == nil && f.noSkips {
		err = refuseSkips(out, plans)
	}
	if out.Interrupted {
		return err
	}
	return settle(err) // what ended a kept run is no interruption
}

// refuseSkips is an error if a variant was skipped though its plan was for the provider.
func refuseSkips(out verdict.Run, plans []plan.Plan) error {
	var skipped []string
	for i, v := range out.Variants {
		if v.Status == verdict.Skipped && plans[i].NotHere() == "" {
			skipped = append(skipped, v.ID()+": "+v.Reason)
		}
	}
	if len(skipped) == 0 {
		return nil
	}
	return &exitError{code: verdict.ExitInconclusive, err: fmt.Errorf("--no-skips: skipped all the same: %s", strings.Join(skipped, "; "))}
}

// config joins what the run needs.
func (f *runFlags) config(reporter progress.Reporter, attached cluster.Cluster) (runner.Config, error) {
	id := cmp.Or(f.id, newRunID(time.Now()))
	dir := filepath.Join(f.reports, id)
	cfg := runner.Config{
		ID:        id,
		Dir:       dir,
		Providers: runner.Registered(providers.Options{KubeBinary: f.selection.kubeBin, FailureLogs: filepath.Join(dir, runner.ClustersFolder)}),
		Parallel:  f.parallel,
		FailFast:  f.failFast,
		Keep:      f.keep,
		Progress:  reporter,
		Versions:  versions(),
		Args:      os.Args[1:],
		Seed:      f.selection.seed,
	}
	cfg.Attached = attached
	var err error
	cfg.OwnHelm, err = os.Executable()
	return cfg, err
}

// attach joins the cluster that was named; nil if none was. Its provider is then that of all scenarios.
func (f *runFlags) attach(ctx context.Context) (cluster.Cluster, error) {
	if f.cluster == "" {
		return nil, nil
	}
	c, info, err := providers.Attach(ctx, f.cluster)
	if err != nil {
		return nil, attachError(err)
	}
	return c, f.selection.follow(info)
}

// linger tells and reports the outcome, tells how to reach what --keep left, and waits for Ctrl-C. The reports are written
// again at the end, since only then it is known what became of clean-up.
func (f *runFlags) linger(reporter progress.Reporter, dir string, form reports.Option) func(context.Context, verdict.Run, []runner.Kept) {
	tell := progress.For(reporter, "")
	return func(ctx context.Context, soFar verdict.Run, all []runner.Kept) {
		told := ending{reporter: reporter, output: "text"} // JSON is one document, that of the end
		if err := told.report(dir, soFar, form); err != nil && err.Error() != "" {
			tell.Say(err.Error())
		}
		for _, kept := range all {
			tell.Say(fmt.Sprintf("kept %s: kubectl --kubeconfig=%s -n %s get all", kept.Variant, kept.Kubeconfig, kept.Namespace))
		}
		tell.Say("kept until Ctrl-C, which removes it all")
		<-ctx.Done()
	}
}

// newRunID is a time that sorts and a part that is unique.
func newRunID(now time.Time) string {
	return now.UTC().Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:6])
}

// junitFlags are the flags that adapt junit.xml to its reader.
type junitFlags struct{ dialect, pathBase string }

func (f *junitFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.dialect, "junit-dialect", string(junit.Default), "JUnit dialect: default or xunit2")
	flags.StringVar(&f.pathBase, "junit-path-base", "", "the run's folder as the reader of junit.xml sees it; attachments begin with it")
}

func (f *junitFlags) option() (reports.Option, error) {
	dialect, err := junit.ParseDialect(f.dialect)
	if err != nil {
		return nil, fmt.Errorf("--junit-dialect: %w", err)
	}
	return reports.WithJUnit(junit.Options{Dialect: dialect, PathBase: f.pathBase}), nil
}

// htmlReport is the report that a person is pointed to.
const htmlReport = "report.html"

func (f *runFlags) check() error {
	var errs []error
	errs = append(errs, checkOutput(f.output))
	if f.parallel < 1 {
		errs = append(errs, fmt.Errorf("--parallel is %d; it must be at least 1", f.parallel))
	}
	if f.id != "" {
		errs = append(errs, f.checkID())
	}
	return errors.Join(errs...)
}

// runIDs keep a run's name fit for a folder.
var runIDs = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

func (f *runFlags) checkID() error {
	if !runIDs.MatchString(f.id) {
		return fmt.Errorf("--run-id %q is no name: at most 40 of a-z, 0-9 and -, with no - at either end", f.id)
	}
	dir := filepath.Join(f.reports, f.id)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--run-id %s: %s exists already; give the run another name or remove the folder", f.id, dir)
	}
	return nil
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("--output %q is neither text nor json", output)
	}
	return nil
}
