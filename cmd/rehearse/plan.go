package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
)

func newPlanCmd() *cobra.Command {
	var output, cluster string
	var which selection
	cmd := &cobra.Command{
		Use:   "plan PATH...",
		Short: "Show what scenarios would run, how long their timeouts let it take, and on what",
		Long: `Plan shows for every variant of every scenario its steps with their deadlines, what it needs of a cluster, and what
it may change there. Objects without a namespace are in the one that a run makes for itself. Charts are rendered, but
nothing is run. They are told the Kubernetes version of the provider's clusters, or of the one that --cluster names.

Exit codes: 0 shown, 2 usage, an invalid file or a chart that does not render, 3 the cluster cannot be used.`,
		Example: `  rehearse plan scenarios/ownership
  rehearse plan scenarios/ownership --cluster rehearse
  rehearse plan scenarios --output json | jq '.[].longest'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			if cluster != "" {
				info, err := kept.Usable("", cluster)
				if err != nil {
					return attachError(err)
				}
				if err := which.follow(info); err != nil {
					return err
				}
			}
			reporter := progress.Plain(cmd.ErrOrStderr())
			plans, err := which.plansTold(cmd.Context(), progress.For(reporter, ""), args)
			reporter.Close()
			if err != nil {
				return tellMistakes(cmd.ErrOrStderr(), err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), plans)
			}
			return printPlans(cmd.OutOrStdout(), plans, cluster)
		},
	}
	which.add(cmd.Flags())
	addKubeBin(cmd.Flags(), &which.kubeBin)
	cmd.Flags().StringVar(&cluster, "cluster", "", "plan for this cluster, made by rehearse cluster up, instead of one that would be booted")
	outputFlag(cmd, &output)
	return cmd
}

// printPlans shows plans. cluster is the one that they are for; empty if all are booted.
func printPlans(w io.Writer, plans []plan.Plan, cluster string) error {
	for i, p := range plans {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  (%s)\n  %s\n", p.ID(), p.File, p.Scenario.Spec.Description)
		fmt.Fprintf(w, "  needs a cluster: %s, %s, isolation %s\n", p.Needs.Provider, count(p.Needs.Nodes, "node", "nodes"), p.Needs.Isolation)
		if cluster != "" && p.Needs.Isolation == "cluster" && p.NotHere() == "" {
			fmt.Fprintf(w, "  is given a cluster of its own, which is booted beside %s\n", cluster)
		}
		if reason := p.NotHere(); reason != "" {
			fmt.Fprintf(w, "  is skipped on %s: %s\n", p.Needs.Provider, reason)
		}
		fmt.Fprintf(w, "  its timeouts add up to %s, clean-up included; boot, set-up and taking evidence come on top; seed %d\n\n", short(p.Longest.Duration), p.Seed)
		if err := printTables(w, p); err != nil {
			return harnessError(fmt.Errorf("writing the plan: %w", err))
		}
	}
	return nil
}

func printTables(w io.Writer, p plan.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, "  STEP\tOPERATION\tDEADLINE\tEXPECTED\n")
	for _, s := range p.Steps {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", s.Name, s.Operation, short(s.Timeout.Duration), expected(s))
	}
	for _, s := range p.Finally {
		fmt.Fprintf(table, "  %s\t%s, finally\t%s\t%s\n", s.Name, s.Operation, short(s.Timeout.Duration), expected(s))
	}
	fmt.Fprint(table, "\n  MAY TOUCH\tBY\tHOW\n")
	for _, t := range p.Touches {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", t.What, t.By, strings.Join(t.Does, ", "))
	}
	if len(p.Renders) > 0 {
		fmt.Fprintf(table, "\n  RENDERS\n  %s\n", strings.Join(p.Renders, ", "))
	}
	if len(p.ClusterScoped) > 0 {
		fmt.Fprintf(table, "\n  OUTSIDE OF NAMESPACES\n  %s\n", strings.Join(p.ClusterScoped, ", "))
	}
	if len(p.Elsewhere) > 0 {
		fmt.Fprintf(table, "\n  IN OTHER NAMESPACES\n  %s\n", strings.Join(p.Elsewhere, ", "))
	}
	for i, doubt := range p.Doubts() {
		if i == 0 {
			fmt.Fprint(table, "\n  IS THAT MEANT?\n")
		}
		fmt.Fprintf(table, "  %s\n", doubt)
	}
	for i, a := range p.Scenario.Spec.Assert {
		if i == 0 {
			fmt.Fprint(table, "\n  ASSERTS\n")
		}
		fmt.Fprintf(table, "  %s\n", strings.TrimSpace(a.Do.Kind+" "+a.Name))
	}
	return table.Flush()
}

// expected says in a word or two what a step must come to.
func expected(s plan.Step) string {
	if s.Expect == nil {
		return "success"
	}
	parts := []string{"success"}
	switch {
	case s.Expect.Error != nil:
		parts[0] = "an error"
	case s.Expect.Any:
		parts[0] = "success or an error"
	}
	if s.Expect.Status != "" {
		parts = append(parts, "status "+s.Expect.Status)
	}
	if s.Expect.Revision != 0 {
		parts = append(parts, fmt.Sprintf("revision %d", s.Expect.Revision))
	}
	return strings.Join(parts, ", ")
}

// short writes a duration without trailing zero units: 2m, not 2m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
