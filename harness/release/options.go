package release

import (
	"context"
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/kube"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// What an option that nobody stated means: the helm CLI's default, but for wait, where the scenario format has its own.
const (
	defaultTimeout    = 5 * time.Minute
	defaultMaxHistory = 10
	defaultServerSide = "auto"
	defaultWait       = kube.StatusWatcherStrategy
)

// settings are options with nothing left open.
type settings struct {
	serverSide     string
	forceConflicts bool
	forceReplace   bool
	wait           kube.WaitStrategy
	waitForJobs    bool
	timeout        time.Duration
	disableHooks   bool
	takeOwnership  bool
	cleanupOnFail  bool
	maxHistory     int
}

// resolve fills in the defaults and cuts the timeout to ctx's deadline.
func resolve(ctx context.Context, o v1alpha1.Options) settings {
	s := settings{
		serverSide:     or(o.ServerSide, defaultServerSide),
		forceConflicts: isTrue(o.ForceConflicts),
		forceReplace:   isTrue(o.ForceReplace),
		wait:           kube.WaitStrategy(or(o.Wait, string(defaultWait))),
		waitForJobs:    isTrue(o.WaitForJobs),
		timeout:        defaultTimeout,
		disableHooks:   isTrue(o.DisableHooks),
		takeOwnership:  isTrue(o.TakeOwnership),
		cleanupOnFail:  isTrue(o.CleanupOnFail),
		maxHistory:     defaultMaxHistory,
	}
	if o.Timeout != nil {
		s.timeout = o.Timeout.Duration
	}
	if o.MaxHistory != nil {
		s.maxHistory = *o.MaxHistory
	}
	s.timeout = cut(ctx, s.timeout)
	return s
}

// cut shortens a timeout of Helm's so that it ends a little before ctx's deadline: then Helm gives up by itself and
// records why, instead of being cut off. The result is positive, since Helm takes 0 for its own default.
func cut(ctx context.Context, timeout time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timeout = min(timeout, left-min(time.Second, left/10))
	}
	return max(timeout, time.Millisecond)
}

// Inapplicable names the fields, as a scenario spells them, that a step's own spec states and its operation in Helm does
// not have. Options inherited from the release are another matter: each operation takes those that it knows.
func Inapplicable(spec any) []string {
	switch spec := spec.(type) {
	case *v1alpha1.Install:
		return stated(spec.Options, "cleanupOnFail", "maxHistory")
	case *v1alpha1.Rollback:
		return stated(spec.Options, "takeOwnership")
	case *v1alpha1.Uninstall:
		return stated(spec.Options, "serverSide", "forceConflicts", "forceReplace", "waitForJobs", "takeOwnership",
			"cleanupOnFail", "maxHistory")
	default:
		return nil
	}
}

// stated returns those of fields that o states.
func stated(o v1alpha1.Options, fields ...string) []string {
	states := map[string]bool{
		"serverSide":     o.ServerSide != "",
		"forceConflicts": o.ForceConflicts != nil,
		"forceReplace":   o.ForceReplace != nil,
		"waitForJobs":    o.WaitForJobs != nil,
		"takeOwnership":  o.TakeOwnership != nil,
		"cleanupOnFail":  o.CleanupOnFail != nil,
		"maxHistory":     o.MaxHistory != nil,
	}
	return slices.DeleteFunc(fields, func(field string) bool { return !states[field] })
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func isTrue(b *bool) bool { return b != nil && *b }
