package release

import (
	"context"
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

// latestEnd is how long before a deadline Helm gives up at the latest, so that it can still write its last record.
const latestEnd = 2 * time.Second

// cut shortens a timeout of Helm's so that it ends a little before ctx's deadline: then Helm gives up by itself and
// records why, instead of being cut off. The result is positive, since Helm takes 0 for its own default.
func cut(ctx context.Context, timeout time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timeout = min(timeout, left-min(latestEnd, left/10))
	}
	return max(timeout, time.Millisecond)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func isTrue(b *bool) bool { return b != nil && *b }
