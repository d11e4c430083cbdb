package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/charts"
	"rehearse.dev/rehearse/scenarios"
)

func newExamplesCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "examples DIR",
		Short: "Write the scenarios that come with rehearse, and their charts, into a folder",
		Long: `Examples writes the scenarios that come with rehearse into DIR/scenarios, and the charts they run on into
DIR/charts: something to run without a checkout, and to begin one's own scenarios from. It overwrites nothing.`,
		Example: `  rehearse examples demo && rehearse run demo/scenarios/live`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := errors.Join(scenarios.Extract(filepath.Join(args[0], "scenarios")), charts.Extract(filepath.Join(args[0], "charts")))
			if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) {
				return usageError(err)
			}
			if err != nil {
				return harnessError(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "rehearse run %s\n", filepath.Join(args[0], "scenarios"))
			return err
		},
	}
}
