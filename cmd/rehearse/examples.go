package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/charts"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
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
			return writeExamples(cmd.OutOrStdout(), filepath.Join(args[0], "scenarios"), filepath.Join(args[0], "charts"))
		},
	}
}

func writeExamples(stdout io.Writer, scenariosDir, chartsDir string) error {
	err := scenarios.Extract(scenariosDir)
	if err == nil {
		err = charts.Extract(chartsDir)
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) {
		return usageError(fmt.Errorf("%w; nothing is overwritten: name another folder", err))
	}
	if err != nil {
		return harnessError(err)
	}
	written, err := scenario.Load([]string{scenariosDir}, runner.Catalog())
	if err != nil {
		return harnessError(fmt.Errorf("reading what was written: %w", err))
	}
	folders, err := os.ReadDir(chartsDir)
	if err != nil {
		return harnessError(fmt.Errorf("reading what was written: %w", err))
	}
	_, err = fmt.Fprintf(stdout, `wrote %d scenarios to %s, and %d charts to %s

one of them, in seconds:
rehearse run %s
all of them, in about 5 minutes:
rehearse run %s

The first run of all also builds the control plane, which takes some minutes.
`, len(written), scenariosDir, len(folders), chartsDir, filepath.Join(scenariosDir, "live", "clean-rollback.yaml"), scenariosDir)
	return err
}
