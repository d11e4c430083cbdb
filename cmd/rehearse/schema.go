package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/schema"
)

func newSchemaCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of scenario files",
		Long: `Schema prints the JSON schema (2020-12) of scenario files. Editors complete and check by it: point yours to a copy
of it, or begin a scenario with a line such as
  # yaml-language-server: $schema=scenario.v1alpha1.json
It says what may stand where. What it cannot say (names, references, files) rehearse validate checks.`,
		Example: `  rehearse schema > scenario.v1alpha1.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := schema.JSON(runner.Catalog().Registries())
			if err != nil {
				return harnessError(err)
			}
			if _, err := cmd.OutOrStdout().Write(data); err != nil {
				return harnessError(fmt.Errorf("writing the schema: %w", err))
			}
			return nil
		},
	}
}
