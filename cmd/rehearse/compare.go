package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/compare"
)

func newCompareCmd() *cobra.Command {
	var output string
	var all, common bool
	cmd := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Hold two runs of the same scenarios against each other",
		Long: `Compare judges the evidence of two runs again, offline, and shows their verdicts in two columns, assertion by assertion: of
the same scenarios on two cluster providers, with two versions, or before and after a change. What was skipped on one side, with a
reason, is no difference; what only one run has is one, unless --common leaves it out.

Exit codes: 0 no verdict differs, 1 one does, 2 usage.`,
		Example: `  rehearse run scenarios --run-id on-embedded
  rehearse run scenarios --run-id on-kind --provider kind
  rehearse compare reports/runs/on-embedded reports/runs/on-kind
  rehearse compare reports/runs/on-embedded reports/runs/on-kind --all --output json
  rehearse run scenarios --label=tier=smoke --run-id smoke --provider kind
  rehearse compare reports/runs/on-embedded reports/runs/smoke --common`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			var runs [2]verdict.Run
			for i, dir := range args {
				if runs[i], err = runner.Rejudge(dir, runner.Catalog(), nil); err != nil {
					return usageError(fmt.Errorf("judging %s: %w", dir, err))
				}
			}
			hold := compare.Runs
			if common {
				hold = compare.Common
			}
			compared := hold(runs[0], runs[1])
			if common && len(compared.Variants) == 0 {
				return usageError(fmt.Errorf("nothing that %s has is in %s", args[0], args[1]))
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), compared)
			} else {
				err = compare.WriteText(cmd.OutOrStdout(), compared, all)
			}
			if err != nil {
				return harnessError(fmt.Errorf("writing the comparison: %w", err))
			}
			if !compared.Same {
				return &exitError{code: verdict.ExitFailed}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show every verdict, not only those that differ")
	cmd.Flags().BoolVar(&common, "common", false, "compare only what both runs have, and count the rest")
	outputFlag(cmd, &output)
	return cmd
}
