package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
)

func newValidateCmd() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Find every mistake in scenario files",
		Long: `Validate reads scenarios from files, folders and globs, and tells every mistake of every file at once, as
file:line:column: field: what is wrong and what would be right. Of a folder it reads every *.yaml below it, but for
charts, kind configurations, and folders whose names begin with a dot or an underscore. Charts must be there; whether
they render is for plan and run to tell.

No cluster is needed. Exit codes: 0 all are valid, 2 there are mistakes.`,
		Example: `  rehearse validate scenarios
  rehearse validate 'my-chart/rehearsals/*.yaml'
  rehearse validate scenarios --output json | jq '.mistakes[].path'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			files, err := scenario.Load(args, runner.Catalog())
			if asJSON {
				return reportJSON(cmd.OutOrStdout(), files, err)
			}
			if err != nil {
				return tellMistakes(cmd.ErrOrStderr(), err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s valid\n", count(len(files), "scenario is", "scenarios are"))
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// validation is what validate prints as JSON.
type validation struct {
	Scenarios []validScenario   `json:"scenarios"`
	Mistakes  scenario.Mistakes `json:"mistakes"`
}

type validScenario struct {
	Name string `json:"name"`
	File string `json:"file"`
}

func reportJSON(stdout io.Writer, files []scenario.File, loadErr error) error {
	report := validation{Scenarios: []validScenario{}, Mistakes: scenario.Mistakes{}}
	if loadErr != nil && !errors.As(loadErr, &report.Mistakes) {
		return usageError(loadErr)
	}
	for _, f := range files {
		report.Scenarios = append(report.Scenarios, validScenario{f.Scenario.Metadata.Name, f.Path})
	}
	if err := printJSON(stdout, report); err != nil {
		return err
	}
	if len(report.Mistakes) > 0 {
		return &exitError{code: verdict.ExitUsage}
	}
	return nil
}

// tellMistakes writes the mistakes of scenario files, one a line, so that editors can jump to them, and returns what ends
// the command. Any other error is returned as one of usage.
func tellMistakes(stderr io.Writer, err error) error {
	var mistakes scenario.Mistakes
	if !errors.As(err, &mistakes) {
		return usageError(err)
	}
	fmt.Fprintln(stderr, mistakes.Error())
	return usageError(fmt.Errorf("%s found; see rehearse explain for what a scenario can say", count(len(mistakes), "mistake", "mistakes")))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// outputFlag adds the flag that wantsJSON reads.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "what goes to standard output: text or json")
}

func wantsJSON(output string) (bool, error) {
	switch output {
	case "text", "json":
		return output == "json", nil
	default:
		return false, fmt.Errorf("--output %q is neither text nor json", output)
	}
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return harnessError(fmt.Errorf("writing JSON: %w", err))
	}
	return nil
}
