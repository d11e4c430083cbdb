package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/kubeenv"
	"k8s.io/client-go/rest"
)

// defaultGrace is how long Helm may go on after its context has ended, to write down what became of the release.
const defaultGrace = 15 * time.Second

// statusWorkers is the helm CLI's number of goroutines that compute status in a wait.
const statusWorkers = 8

var (
	// errReturned cuts off what Helm left running: an operation that has returned talks to the API server no more.
	errReturned = errors.New("the operation has returned")
	// errGrace cuts off an operation that goes on for longer than grace after its context has ended.
	errGrace = errors.New("the operation was cancelled and did not end by itself")
)

// session is the clients of one operation.
type session struct {
	cfg   *action.Configuration
	close func()
}

// newSession connects Helm to the target's cluster. Of Helm's actions only install and upgrade take a context, and
// they return on its end while their work goes on behind them; so none is given one. Instead ctx ends their waits, and
// grace after that, or once the operation has returned, a fence cuts all their connections.
func newSession(ctx context.Context, t Target, grace time.Duration) (*session, error) {
	inside, fall := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			fall(errGrace)
		case <-inside.Done():
		}
	})
	ses := &session{close: func() { stop(); fall(errReturned) }}
	get, err := newGetter(restConfig(inside, t), t.Namespace)
	if err != nil {
		ses.close()
		return nil, err
	}
	cfg := action.NewConfiguration(action.ConfigurationSetLogger(t.Log.Handler()))
	if err := cfg.Init(get, t.Namespace, "secret"); err != nil {
		ses.close()
		return nil, fmt.Errorf("setting Helm up: %w", err)
	}
	client, ok := cfg.KubeClient.(*kube.Client)
	if !ok {
		ses.close()
		return nil, fmt.Errorf("setting Helm up: its client is a %T, and only *kube.Client can be cancelled", cfg.KubeClient)
	}
	client.Namespace = t.Namespace
	client.WaitContext = ctx //nolint:staticcheck // kube.WithWaitContext, which replaces it, is ignored by the legacy strategy
	cfg.KubeClient = guarded{Client: client, ends: ctx, strict: sync.OnceValue(func() bool {
		server, err := get.discovery.ServerVersion()
		return err == nil && validatesFields(server)
	})}
	cfg.SetHookOutputFunc(hookOutput(t.Log))
	ses.cfg = cfg
	return ses, nil
}

// restConfig is the target's with the settings of the helm CLI, but unlimited rates, and behind the fence.
func restConfig(inside context.Context, t Target) *rest.Config {
	cfg := rest.CopyConfig(t.RESTConfig)
	cfg.QPS, cfg.Burst, cfg.RateLimiter = -1, 0, nil
	// Helm's records are written under the field manager that the API server makes of the user agent.
	cfg.UserAgent = "Helm/" + strings.TrimPrefix(common.DefaultCapabilities.HelmVersion.Version, "v")
	cfg.WarningHandlerWithContext = warnings{t.Log}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &kubeenv.RetryingRoundTripper{Wrapped: next}
	})
	cfg.Wrap(fenced(inside))
	return cfg
}

func waitOptions() []kube.WaitOption {
	return []kube.WaitOption{kube.WithStatusComputeWorkers(statusWorkers)}
}

// hookOutput sends the logs of hooks that ask for it (helm.sh/hook-output-log-policy) to log.
func hookOutput(log *slog.Logger) func(namespace, pod, container string) io.Writer {
	return func(namespace, pod, container string) io.Writer {
		h := log.With("namespace", namespace, "pod", pod, "container", container).Handler()
		return slog.NewLogLogger(h, slog.LevelInfo).Writer()
	}
}

// warnings logs the API server's warnings, which client-go would print to stderr.
type warnings struct{ log *slog.Logger }

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	if code == http.StatusOK || text == "" {
		return
	}
	w.log.WarnContext(ctx, "warning of the API server", "text", text)
}
