// Package runner runs plans: it boots or borrows clusters, performs the steps, takes the evidence and has it judged.
// It sets every deadline of a run and ends all that it starts, and it alone joins the packages that do the work.
package runner

import (
	"errors"
	"fmt"
	"time"
)

// ErrHarness marks a failure of the harness or of its infrastructure, as opposed to one of the operation under
// rehearsal. It makes a verdict errored, never failed.
var ErrHarness = errors.New("harness error")

// Why something was given up.
var (
	errSetUp       = fmt.Errorf("not done within %s", setUpBound)
	errClose       = fmt.Errorf("not done within %s", closeBound)
	errInterrupted = errors.New("the run was interrupted before the first step")
)

// errCleanup is why clean-up was given up.
var errCleanup = errors.New("timeouts.cleanup has passed")

// evidenceBound is how long the snapshot at the end of a step may take. It runs under a context of its own, so that a
// step that was cut off leaves evidence too.
const evidenceBound = 20 * time.Second

// setUpBound is how long it may take to prepare a cluster that has booted, and to set up a variant on it.
const setUpBound = 2 * time.Minute

// logsBound is how long the logs of a cluster may take.
const logsBound = time.Minute

// closeBound is how long the end of a cluster may take.
const closeBound = time.Minute

// The isolations of a plan's needs.
const (
	isolationAuto      = "auto"
	isolationNamespace = "namespace"
	isolationCluster   = "cluster"
)

// logsFolder holds, in a bundle, the logs of a cluster's components.
const logsFolder = "logs"

// ClustersFolder holds, in a run's folder, the logs of clusters that could not be made, each in a folder of its name.
const ClustersFolder = "clusters"
