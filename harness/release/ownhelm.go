package release

import (
	"errors"
	"fmt"
	"io"
	"os"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

// ownHelmEnv makes a program of ours act as helm. Its value is the field manager to write under.
const ownHelmEnv = "REHEARSE_HELM_FIELD_MANAGER"

// OwnHelm reports whether this process was started to act as helm. If so, it has done that, and has to end with the code.
func OwnHelm(args []string, stdout, stderr io.Writer) (code int, asked bool) {
	manager := os.Getenv(ownHelmEnv)
	if manager == "" {
		return 0, false
	}
	kube.ManagedFieldsManager = manager
	cmd, err := helmcmd.NewRootCmd(stdout, args, helmcmd.SetupLogging)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "Error: %v\n", err)
		return 1, true
	}
	cmd.SetArgs(args)
	cmd.SetErr(stderr)
	if err := cmd.Execute(); err != nil {
		if exit, ok := errors.AsType[helmcmd.CommandError](err); ok {
			return exit.ExitCode, true
		}
		return 1, true
	}
	return 0, true
}
