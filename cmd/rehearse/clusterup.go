package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/cluster/kind"
	"rehearse.dev/rehearse/harness/cluster/providers"
)

const (
	// defaultClusterName is the name of a kept cluster that is given none.
	defaultClusterName = "rehearse"
	// defaultClusterNodes is how many nodes it has then. A kind config that lists nodes decides instead.
	defaultClusterNodes = 3
)

func newClusterUpCmd() *cobra.Command {
	var flags keepFlags
	var output string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Boot a cluster and keep it",
		Long: `Up boots a cluster, prints how to reach it, and leaves it running. --config, --image and --images say of a cluster of
kind's what cluster.kind says in a scenario: rehearse explain provider kind.

Exit codes: 0 it runs, 2 usage or an invalid kind config, 3 it could not be made.`,
		Example: `  rehearse cluster up
  rehearse cluster up --provider kind --nodes 2
  rehearse cluster up --provider kind --config kind.yaml --image kindest/node:v1.36.0
  rehearse cluster up --provider kind --images my-app.tar --images my-sidecar:dev
  eval "$(rehearse cluster up --name two --nodes 5)" && kubectl get nodes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(output)
			if err != nil {
				return usageError(err)
			}
			if err := flags.check(cmd); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return harnessError(fmt.Errorf("cluster up: find this program: %w", err))
			}
			info, err := kept.Spawn(cmd.Context(), append([]string{self, "cluster", "keep"}, flags.args()...), func(phase string) {
				fmt.Fprintln(cmd.ErrOrStderr(), phase)
			})
			if err != nil {
				return harnessError(fmt.Errorf("cluster up: %w", err))
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), info)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\n", info.Kubeconfig)
			return err
		},
	}
	flags.register(cmd)
	outputFlag(cmd, &output)
	return cmd
}

// newClusterKeepCmd is what cluster up runs in the background.
func newClusterKeepCmd() *cobra.Command {
	var flags keepFlags
	cmd := &cobra.Command{
		Use:    "keep",
		Short:  "Keep a cluster until ended (cluster up runs this)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keeper, err := flags.keeper()
			if err != nil {
				return usageError(err)
			}
			if err := kept.Serve(cmd.Context(), keeper, flags.spec()); err != nil {
				return harnessError(err)
			}
			return nil
		},
	}
	flags.register(cmd)
	return cmd
}

// keepFlags are shared by up and keep, of which one passes them to the other.
type keepFlags struct {
	name     string
	provider string
	nodes    int
	kubeBin  string
	logs     string
	kind     v1alpha1.KindCluster
}

func (f *keepFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", defaultClusterName, "name of the cluster")
	flags.IntVar(&f.nodes, "nodes", defaultClusterNodes, "number of nodes; with --config the nodes listed there, unless this is given")
	flags.StringVar(&f.provider, "provider", "embedded", "who makes it: "+strings.Join(providers.Registry().Names(), " or "))
	addKubeBin(flags, &f.kubeBin)
	flags.StringVar(&f.kind.ConfigFile, "config", "", "kind: file that holds a kind configuration ("+kind.ConfigVersion+")")
	flags.StringVar(&f.kind.Image, "image", "", "kind: node image; empty takes that of rehearse kind-image build, if it is there, else kind's own default")
	flags.StringVar(&f.logs, "logs", "", "kind: folder for the logs of its nodes, if it cannot be made")
	flags.StringSliceVar(&f.kind.Images, "images", nil, "kind: image archives (.tar) or images of the local engine to load into the nodes")
}

func (f *keepFlags) args() []string {
	args := []string{"--provider=" + f.provider, "--name=" + f.name, "--nodes=" + strconv.Itoa(f.nodes), "--kube-bin=" + f.kubeBin}
	args = append(args, "--config="+f.kind.ConfigFile, "--image="+f.kind.Image, "--logs="+f.logs)
	for _, image := range f.kind.Images {
		args = append(args, "--images="+image)
	}
	return args
}

func (f *keepFlags) spec() cluster.Spec { return cluster.Spec{Name: f.name, Nodes: f.nodes} }

// check finds what is wrong before a process is started for it. A kind config decides how many nodes there are, unless
// the user does.
func (f *keepFlags) check(cmd *cobra.Command) error {
	if given := cmd.Flags().Changed("nodes"); given && f.nodes < 1 {
		return usageError(fmt.Errorf("--nodes is %d; it must be at least 1", f.nodes))
	} else if !given && f.kind.ConfigFile != "" {
		f.nodes = 0
	}
	keeper, err := f.keeper()
	if err == nil {
		err = keeper.Check(f.spec())
	}
	if err != nil {
		return tellConfig(cmd.ErrOrStderr(), err)
	}
	return nil
}

// keeper is the provider of the flags.
func (f *keepFlags) keeper() (kept.Keeper, error) {
	if _, err := providers.Registry().Lookup(f.provider); err != nil {
		return nil, fmt.Errorf("--provider: %w", err)
	}
	var settings any
	if f.kind.ConfigFile != "" || f.kind.Image != "" || len(f.kind.Images) > 0 || f.logs != "" {
		if f.provider != kind.ProviderName {
			return nil, fmt.Errorf("--config, --image, --images and --logs are for clusters of kind's, and this one is to be %s: add --provider %s", f.provider, kind.ProviderName)
		}
		settings = &f.kind
	}
	return providers.Keeper(f.provider, providers.Options{KubeBinary: f.kubeBin, FailureLogs: f.logs}, settings)
}

// tellConfig writes the mistakes of a kind config, one a line, as tellMistakes does for scenarios. Any other error is
// returned as one of usage.
func tellConfig(stderr io.Writer, err error) error {
	var wrong *kind.ConfigError
	if !errors.As(err, &wrong) {
		return usageError(fmt.Errorf("cluster up: %w", err))
	}
	for _, p := range wrong.Problems {
		fmt.Fprintln(stderr, wrong.Place(p))
	}
	return usageError(fmt.Errorf("%s found; a kind config is of %s", count(len(wrong.Problems), "mistake", "mistakes"), kind.ConfigVersion))
}
