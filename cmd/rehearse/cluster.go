package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/providers"
)

func newClusterCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Keep a cluster for a work day",
		Long: `Cluster keeps clusters with processes of their own, so that runs need not boot one each time
(rehearse run --cluster NAME) and so that kubectl and helm can be tried on one.

A kept cluster lasts until rehearse cluster down, or until the machine stops.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError(errors.New("cluster: say up, list, down or prepare (rehearse cluster --help)"))
		},
	}
	cmd.AddCommand(newClusterUpCmd(), newClusterListCmd(), newClusterDownCmd(), newClusterPrepareCmd(), newClusterKeepCmd())
	return cmd
}

func newClusterListCmd() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List clusters, those of runs included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			infos, listErr := kept.List("")
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), append([]kept.Info{}, infos...))
			} else {
				err = printClusters(cmd.OutOrStdout(), infos, time.Now())
			}
			// What can be listed is; records that cannot be read come on top.
			if err := errors.Join(listErr, err); err != nil {
				return harnessError(fmt.Errorf("cluster list: %w", err))
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func printClusters(w io.Writer, infos []kept.Info, now time.Time) error {
	if len(infos) == 0 {
		_, err := fmt.Fprintln(w, "no clusters (rehearse cluster up makes one)")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tKEPT\tPROVIDER\tAGE\tVERSION\tNODES\tPID\tKUBECONFIG")
	for _, i := range infos {
		fmt.Fprintf(table, "%s\t%s\t%t\t%s\t%s\t%s\t%d\t%d\t%s\n",
			i.Name, i.State, i.Kept, i.Provider, now.Sub(i.Began).Round(time.Second), orDash(i.Version), i.Nodes, i.PID, orDash(i.Kubeconfig))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, i := range infos {
		if i.Cause != "" {
			fmt.Fprintf(w, "\n%s is broken: %s\n", i.Name, i.Cause)
		}
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func newClusterDownCmd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down [NAME...]",
		Short: "Delete kept clusters",
		Long: `Down deletes kept clusters and all that belongs to them: those named, the only one there is, or with --all every one.
It also removes what is left of one whose process was killed.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			names, err := namesToEnd(names, all)
			if err != nil {
				return err
			}
			var errs []error
			for _, name := range names {
				if err := kept.Down(cmd.Context(), "", name, providers.Undo()); err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is gone\n", name)
			}
			return downError(errs)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every kept cluster")
	return cmd
}

// downError is that clusters could not be ended, which is a mistake of usage if all that is wrong are names.
func downError(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	err := fmt.Errorf("cluster %w", errors.Join(errs...))
	if slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, kept.ErrUnknown) }) {
		return harnessError(err)
	}
	return usageError(err)
}

// namesToEnd resolves what down was asked to end.
func namesToEnd(names []string, all bool) ([]string, error) {
	if len(names) > 0 && all {
		return nil, usageError(errors.New("cluster down: --all and names exclude each other"))
	}
	if len(names) > 0 {
		return names, nil
	}
	infos, err := kept.List("")
	if err != nil {
		return nil, harnessError(fmt.Errorf("cluster down: %w", err))
	}
	var found []string
	for _, i := range infos {
		if i.Kept && i.State != kept.Foreign {
			found = append(found, i.Name)
		}
	}
	if len(found) == 0 && !all {
		return nil, usageError(errors.New("cluster down: there is no kept cluster"))
	}
	if len(found) > 1 && !all {
		return nil, usageError(fmt.Errorf("cluster down: there are several, %q; name one or say --all", found))
	}
	return found, nil
}

func newClusterPrepareCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "prepare",
		Short: "Build the control plane if need be, and print where it is",
		Long: `Prepare builds the binary that embedded clusters run, unless the cache has it, and prints its path. Runs do the same
when they need it; a CI job or an image may want it done beforehand. ` + embedded.EnvKubeBinary + ` and ` + cachedir.Env + ` are obeyed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := embedded.EnsureKube(cmd.Context(), func(phase string) { fmt.Fprintln(cmd.ErrOrStderr(), phase) })
			if err != nil {
				return harnessError(fmt.Errorf("cluster prepare: %w", err))
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
}
