package main

import (
	"errors"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/verdict"
)

// exitError carries an exit code to main. A nil err has been told to the user already.
type exitError struct {
	code int
	err  error
	// settled is set if the code stands although the program was interrupted since.
	settled bool
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// settle has an error keep its code whatever interrupts the program.
func settle(err error) error {
	var exit *exitError
	if errors.As(err, &exit) {
		exit.settled = true
	}
	return err
}

func (e *exitError) Unwrap() error { return e.err }

// codeAfter is the exit code of an error that came after an interruption, if there was one: whatever failed, it failed for
// that. But that something is left is to be known.
func (e *exitError) codeAfter(interrupted bool) int {
	if interrupted && e.code != verdict.ExitCleanupIncomplete {
		return verdict.ExitInterrupted
	}
	return e.code
}

// usageError is a mistake of the user's: bad flags, an invalid file. It is also what an error without a code becomes.
func usageError(err error) *exitError { return &exitError{code: verdict.ExitUsage, err: err} }

// harnessError is a failure of the program or of what it stands on.
func harnessError(err error) *exitError { return &exitError{code: verdict.ExitErrored, err: err} }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rehearse",
		Short: "Rehearse Helm rollbacks on a real control plane",
		Long: `rehearse boots a real Kubernetes control plane, installs, upgrades and rolls back charts with Helm 4,
lets other managers take fields and readiness come late, and judges from the evidence whether
managedFields, readiness order and Helm's ledger came back as they should.`,
		Version:       programVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		// Every command has a file of its own, which names its constructor here.
		newValidateCmd(),
		newPlanCmd(),
		newExplainCmd(),
		newSchemaCmd(),
		newRunCmd(),
		newSweepCmd(),
		newExamplesCmd(),
		newJudgeCmd(),
		newCompareCmd(),
		newReplayCmd(),
		newClusterCmd(),
		newKindImageCmd(),
		newGCCmd(),
		newTrackRecordCmd(),
	)
	return root
}
