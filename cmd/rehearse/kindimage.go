package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/cluster/kind"
	"rehearse.dev/rehearse/harness/cluster/kind/nodeimage"
)

func newKindImageCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kind-image",
		Short: "Make a node image for kind without a container registry",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError(errors.New("kind-image: say build (rehearse kind-image --help)"))
		},
	}
	cmd.AddCommand(newKindImageBuildCmd())
	return cmd
}

func newKindImageBuildCmd() *cobra.Command {
	var opts nodeimage.Options
	var output string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the node image, as far as it is not there already",
		Long: `Build makes a node image for kind where no container registry can be reached. It needs Docker or podman, as kind
detects them, a Go toolchain, a Go module proxy and, unless --base is given, root, the package debootstrap and the mirror of
Debian's that apt uses here.

Kubernetes, CoreDNS, containerd and the CNI plugins are compiled from their Go modules, which takes some ten minutes on 2
cores the first time. What each phase makes is kept: an interrupted build goes on where it stopped, and a second one has
nothing to do. Where a registry can be reached, kind's own images need none of this.

Every node gives its pods addresses by itself; kube-proxy and CoreDNS make Services work. There is no volume provisioner.

Exit codes: 0 the image is there, 2 usage, 3 it cannot be built, 130 interrupted.`,
		Example: `  rehearse kind-image build
  rehearse kind-image build --base debian-node:bookworm --tag example.org/node:v1
  kind create cluster --image "$(rehearse kind-image build)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			opts.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			if opts.Engine, err = kind.Engine(cmd.Context()); err != nil {
				return harnessError(fmt.Errorf("kind-image build: %w", err))
			}
			result, err := nodeimage.Build(cmd.Context(), opts)
			if errors.Is(err, nodeimage.ErrNoBase) {
				return usageError(fmt.Errorf("kind-image build: %w", err))
			}
			if err != nil {
				return harnessError(fmt.Errorf("kind-image build: %w", err))
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), result)
			}
			if err := printPhases(cmd.ErrOrStderr(), result); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), result.Tag)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Tag, "tag", nodeimage.DefaultTag(), "name of the image")
	flags.StringVar(&opts.Base, "base", "", "local image, or tar archive of a root file system, to build upon instead of Debian's packages")
	outputFlag(cmd, &output)
	return cmd
}

// printPhases says what took how long.
func printPhases(w io.Writer, r nodeimage.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Phases {
		how := "built"
		if p.Cached {
			how = "cached"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, how, p.Took.Round(100*time.Millisecond))
	}
	how := ""
	if !slices.ContainsFunc(r.Phases, func(p nodeimage.Phase) bool { return !p.Cached }) {
		how = "nothing was rebuilt"
	}
	fmt.Fprintf(table, "total\t%s\t%s\n", how, r.Took.Round(100*time.Millisecond))
	return table.Flush()
}
