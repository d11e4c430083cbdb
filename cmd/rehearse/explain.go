package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/schema"
)

func newExplainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [" + strings.Join(schema.Topics(), "|") + " [NAME]]",
		Short: "Explain what a scenario can say",
		Long: `Explain shows the fields of a scenario, a step, a readiness rule, an actor, a fault, an assertion or a cluster
provider, and with a NAME
those of one operation, actor, fault, assertion or provider with an example. Without arguments it lists what there is to explain.`,
		Example: `  rehearse explain
  rehearse explain scenario
  rehearse explain step rollback
  rehearse explain assert ownership`,
		Args:      cobra.MaximumNArgs(2),
		ValidArgs: schema.Topics(),
		RunE: func(cmd *cobra.Command, args []string) error {
			args = append(args, "", "") // absent ones are empty
			text, err := schema.Explain(runner.Catalog().Registries(), args[0], args[1])
			if err != nil {
				return usageError(err)
			}
			if _, err := fmt.Fprint(cmd.OutOrStdout(), text); err != nil {
				return harnessError(fmt.Errorf("writing the explanation: %w", err))
			}
			return nil
		},
	}
}
