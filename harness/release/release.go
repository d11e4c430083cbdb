// Package release runs Helm's operations, in-process or as a child process, and reads what Helm's storage holds afterwards. It is the only
// package that imports Helm.
//
// An operation of driver sdk is Helm's own action with the settings of the helm CLI: field manager, user agent, retries, wait
// workers and history limit are the CLI's. Nothing is taken from the user's Helm or kubectl set-up: no HELM_*
// variables, no repositories.yaml, no plugins, no kubeconfig. Driver cli runs a helm command with nothing of it either.
// Three things do come from the machine: the HTTP proxy
// variables, Docker's credentials for an oci:// chart (Helm's registry client cannot do without looking for them), and
// the chart files themselves.
package release

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// DefaultFieldManager is the name that the helm binary writes under.
const DefaultFieldManager = "helm"

// ErrPanic is wrapped by the error of an operation in which Helm panicked.
var ErrPanic = errors.New("a panic in Helm")

// Driver runs operations on one release. The error of an operation is its outcome.
type Driver interface {
	Install(ctx context.Context, spec v1alpha1.Install) error
	Upgrade(ctx context.Context, spec v1alpha1.Upgrade) error
	Rollback(ctx context.Context, spec v1alpha1.Rollback) error
	Uninstall(ctx context.Context, spec v1alpha1.Uninstall) error
	Test(ctx context.Context, spec v1alpha1.Test) error
}

var (
	_ Driver = (*SDK)(nil)
	_ Driver = (*CLI)(nil)
)

// Target is one release on one cluster.
type Target struct {
	// RESTConfig reaches the cluster. It is copied; its rate limits and user agent are replaced.
	RESTConfig *rest.Config
	// Kubeconfig is a file that reaches the cluster, for driver cli.
	Kubeconfig string
	// HomeDir is the home of the helm commands of driver cli, with their caches. It should belong to this release alone:
	// discovery is cached there by host and port, and the kinds of a cluster change while scenarios share it.
	HomeDir string
	// Namespace holds the release; it must exist.
	Namespace string
	// Name is the release's name; empty means that of Release.
	Name string
	// FieldManager is the field manager that Helm writes under; empty means that of Release, then DefaultFieldManager.
	FieldManager string
	// BaseDir is the folder that relative paths of charts and value files start from.
	BaseDir string
	// CacheDir holds what Helm downloads. It should belong to this cluster alone.
	CacheDir string
	// Release is the release as the scenario describes it: its chart and values are the base of every operation's.
	Release v1alpha1.Release
	// Log receives Helm's log lines; nil discards them.
	Log *slog.Logger
	// Note writes down that a process of driver cli is about to be started; nil notes nothing.
	Note func() (ProcessNote, error)
}

// ProcessNote is where it is written down that a process runs, so that it can be found if nobody is left to wait for it.
type ProcessNote interface {
	// Started says which process it is.
	Started(pid int) error
	// Gone says that it has ended, or was never started.
	Gone() error
}

// unnoted is the note of a process that nobody wants to know of.
type unnoted struct{}

func (unnoted) Started(int) error { return nil }
func (unnoted) Gone() error       { return nil }

// SDK runs operations on one release with Helm's Go packages. Its methods may be called from several goroutines, but
// Helm itself serialises nothing: two operations on one release at once do what two helm processes would.
type SDK struct {
	target Target
	charts Charts
	gate   *gate
	grace  time.Duration
}

// Open checks the target and returns its driver in-process. Nothing is read from the cluster yet.
func Open(t Target) (*SDK, error) {
	t, err := t.complete()
	switch {
	case err != nil:
		return nil, err
	case t.RESTConfig == nil:
		return nil, errors.New("release: no cluster to run Helm against: Target.RESTConfig is nil")
	}
	charts := Charts{BaseDir: t.BaseDir, CacheDir: t.CacheDir}
	return &SDK{target: t, charts: charts, gate: processGate, grace: defaultGrace}, nil
}

// complete fills in what the release says, and checks what no driver can do without.
func (t Target) complete() (Target, error) {
	t.Name = or(t.Name, t.Release.Name)
	t.FieldManager = or(or(t.FieldManager, t.Release.FieldManager), DefaultFieldManager)
	if t.Log == nil {
		t.Log = slog.New(slog.DiscardHandler)
	}
	if t.Note == nil {
		t.Note = func() (ProcessNote, error) { return unnoted{}, nil }
	}
	switch {
	case t.Namespace == "":
		return t, errors.New("release: Target.Namespace is empty")
	case t.Name == "":
		return t, errors.New("release: the release has no name")
	case t.CacheDir == "":
		return t, errors.New("release: Target.CacheDir is empty; Helm would use the user's own")
	}
	return t, nil
}

// run does one operation: it waits for the field manager, opens a session, and turns whatever comes back, a panic
// included, into an error that names the operation. An empty manager means the target's.
func (s *SDK) run(ctx context.Context, operation, manager string, do func(*session) error) error {
	leave, err := s.gate.enter(ctx, or(manager, s.target.FieldManager))
	if err != nil {
		return s.target.failure(ctx, operation, err)
	}
	defer leave()
	ses, err := newSession(ctx, s.target, s.grace)
	if err != nil {
		return s.target.failure(ctx, operation, err)
	}
	defer ses.close()
	if err := recovered(func() error { return do(ses) }); err != nil {
		return s.target.failure(ctx, operation, err)
	}
	return nil
}

// failure says which operation failed, and that it was cut short if it was.
func (t Target) failure(ctx context.Context, operation string, err error) error {
	what := fmt.Sprintf("%s of release %s/%s", operation, t.Namespace, t.Name)
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, cause):
		return fmt.Errorf("%s was cut short: %w", what, err)
	default:
		return fmt.Errorf("%s was cut short: %w: %w", what, cause, err)
	}
}

// recovered turns a panic of Helm's into an error: around an operation, and around the calls of its client (guarded).
// A panic in a goroutine that the client starts is beyond its reach.
func recovered(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v; please report it to helm/helm with this stack:\n%s", ErrPanic, p, debug.Stack())
		}
	}()
	return do()
}
