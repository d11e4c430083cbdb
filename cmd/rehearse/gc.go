package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/kind/nodeimage"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/verdict"
)

func newGCCmd() *cobra.Command {
	var opts journal.CollectOptions
	var output string
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove what killed runs left behind",
		Long: `Gc removes what runs that were killed left behind: clusters, processes, folders, and namespaces on clusters that
outlived them. What belongs to a run or a kept cluster that still lives is left alone.

Exit codes: 0 everything was removed that may be, or --dry-run was given, 2 usage, 3 there is no journal, 5 something could not
be removed or understood, 130 interrupted before anything was removed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			j, err := journal.Open("")
			if err != nil {
				return harnessError(fmt.Errorf("gc: %w", err))
			}
			opts.Progress = func(r journal.Record) { fmt.Fprintf(cmd.ErrOrStderr(), "removing %s %s\n", r.Kind, r.ID) }
			opts.Waiting = func() {
				fmt.Fprintln(cmd.ErrOrStderr(), "gc: another process is removing what runs left behind; waiting for it")
			}
			report, collectErr := j.Collect(cmd.Context(), undoAll(), opts)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), toGCReport(report, opts.DryRun))
			} else {
				err = printGC(cmd.OutOrStdout(), report, opts.DryRun)
			}
			if len(report.Failed) > 0 {
				collectErr = errors.Join(fmt.Errorf("%d things could not be removed", len(report.Failed)), collectErr)
			}
			switch {
			case len(report.Failed)+len(report.Removed) == 0 && cmd.Context().Err() != nil && errors.Is(collectErr, context.Cause(cmd.Context())):
				return harnessError(fmt.Errorf("gc: %w", collectErr)) // it had not begun
			case collectErr != nil:
				return &exitError{code: verdict.ExitCleanupIncomplete, err: fmt.Errorf("gc: %w", collectErr)}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "say what would be removed, and remove nothing")
	outputFlag(cmd, &output)
	return cmd
}

// undoAll says how everything is removed, in the one order that is safe: what runs, then clusters, then folders.
// Namespaces come last, because those of an embedded cluster are gone with its folder.
func undoAll() []journal.Undo {
	return []journal.Undo{journal.UndoProcess(), providers.Undo(), nodeimage.Undo(), journal.UndoDir(), fault.Undo(reachKept), runner.Undo()}
}

// reachKept finds a cluster that rehearse cluster up keeps.
func reachKept(ctx context.Context, name string) (cluster.Cluster, error) {
	c, _, err := providers.Attach(ctx, name)
	if errors.Is(err, kept.ErrUnknown) {
		return nil, nil
	}
	return c, err
}

// gcReport is what gc prints as JSON.
type gcReport struct {
	DryRun  bool             `json:"dryRun"`
	Removed []journal.Record `json:"removed"`
	Failed  []gcFailure      `json:"failed"`
	Kept    []journal.Record `json:"kept"`
	Foreign []journal.Record `json:"foreign"`
}

type gcFailure struct {
	journal.Record
	Error string `json:"error"`
}

func toGCReport(r journal.Report, dryRun bool) gcReport {
	report := gcReport{
		DryRun:  dryRun,
		Removed: append([]journal.Record{}, r.Removed...),
		Failed:  []gcFailure{},
		Kept:    append([]journal.Record{}, r.Kept...),
		Foreign: append([]journal.Record{}, r.Foreign...),
	}
	for _, f := range r.Failed {
		report.Failed = append(report.Failed, gcFailure{Record: f.Record, Error: f.Err.Error()})
	}
	return report
}

func printGC(w io.Writer, r journal.Report, dryRun bool) error {
	verb := "removed"
	if dryRun {
		verb = "would remove"
	}
	line := func(what string, r journal.Record, why string) {
		fmt.Fprintf(w, "%s %s %s (process %d, %s)%s\n", what, r.Kind, r.ID, r.Owner.PID, r.Began.Format(time.DateTime), why)
	}
	for _, record := range r.Removed {
		line(verb, record, "")
	}
	for _, failed := range r.Failed {
		line("cannot remove", failed.Record, ": "+failed.Err.Error())
	}
	for _, record := range r.Foreign {
		line("left", record, ": it belongs to another machine or container, "+record.Owner.Host)
	}
	_, err := fmt.Fprintf(w, "%s %d, failed %d, in use %d\n", verb, len(r.Removed), len(r.Failed), len(r.Kept))
	return err
}
