package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/kept"
	"rehearse.dev/rehearse/harness/lifeline"
)

const (
	// portTries is how many ports the API server is offered before the boot is given up.
	portTries = 5
	// pollInterval is how often the API server is asked whether it answers; until then nothing can be watched.
	pollInterval = 20 * time.Millisecond
	// bootTimeout is how long a boot may take: many times what a busy laptop needs.
	bootTimeout = 2 * time.Minute
)

// errPortTaken means that somebody took the API server's port between our choice and its start.
var errPortTaken = errors.New("the port was taken by another process")

// boot makes all of the cluster. On error the caller deletes what there is of it.
func (c *Cluster) boot(ctx context.Context, spec cluster.Spec, freePort func() (int, error)) error {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("not ready after %s", bootTimeout))
	defer cancel()
	spec.Progress("starting etcd and kube-apiserver")
	err := makeDirs(c.dir)
	if err == nil {
		c.line, err = lifeline.New()
	}
	if err == nil {
		err = c.start(etcd, etcdArgs())
	}
	var creds *credentials
	if err == nil {
		creds, err = newCredentials(c.dir)
	}
	if err == nil {
		err = c.startAPIServer(ctx, creds, freePort)
	}
	if err == nil {
		err = c.populate(ctx, spec, creds)
	}
	if err != nil {
		return explainBoot(err, filepath.Dir(c.dir))
	}
	c.watch()
	spec.Progress(fmt.Sprintf("Kubernetes %s with %d simulated nodes is ready after %s",
		c.version, spec.Nodes, time.Since(began).Round(10*time.Millisecond)))
	return nil
}

// start starts a component of a cluster that boots.
func (c *Cluster) start(name string, args []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.launch(name, args)
	return err
}

// startAPIServer starts the API server and waits until it answers requests, with whatever status.
func (c *Cluster) startAPIServer(ctx context.Context, creds *credentials, freePort func() (int, error)) error {
	var err error
	for range portTries {
		var port int
		if port, err = freePort(); err != nil {
			return err
		}
		if err := c.start(apiserver, apiserverArgs(port)); err != nil {
			return err
		}
		c.config = creds.config(port, creds.admin)
		if err = c.awaitAnswer(ctx); !isPortTaken(err) {
			return err
		}
		c.processes = c.processes[:len(c.processes)-1]
		if err := os.Remove(filepath.Join(logsPath(c.dir), apiserver+".log")); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w, %d times in a row; is something taking all loopback ports? %w", apiserver, errPortTaken, portTries, err)
}

// awaitAnswer waits until the API server answers, or a component ends.
func (c *Cluster) awaitAnswer(ctx context.Context) error {
	ctx, stop := c.failFast(ctx)
	defer stop()
	return awaitStatus(ctx, c.config, "/livez", anyStatus)
}

func isPortTaken(err error) bool {
	var ended *ComponentError
	return errors.As(err, &ended) && ended.Component == apiserver && strings.Contains(ended.Tail, syscall.EADDRINUSE.Error())
}

// populate starts what needs an API server that answers, and waits until the cluster is ready. The API server spends its
// last second before /readyz waiting for a timer of its own, so that all this costs next to nothing.
func (c *Cluster) populate(ctx context.Context, spec cluster.Spec, creds *credentials) error {
	clients, err := newClients(c.config)
	if err != nil {
		return err
	}
	if err := creds.writeKubeconfigs(c.dir, c.name, c.config.Host); err != nil {
		return err
	}
	version, err := discovery.ToServerVersionInterfaceWithContext(clients.admin.Discovery()).ServerVersionWithContext(ctx)
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", apiserver, err)
	}
	c.version = version.GitVersion
	if err := c.start(controllerManager, controllerManagerArgs()); err != nil {
		return err
	}
	if err := c.start(scheduler, schedulerArgs()); err != nil {
		return err
	}
	watched, stop := c.failFast(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(watched)
	g.Go(func() error { return awaitStatus(ctx, c.config, "/readyz", isOK) })
	g.Go(func() error { return createStorageClass(ctx, clients.admin) })
	g.Go(func() error { return c.joinNodes(ctx, spec.Nodes, clients) })
	err = g.Wait()
	var ended *ComponentError
	if errors.As(context.Cause(watched), &ended) {
		return ended // the others' errors only follow from it
	}
	if err != nil {
		return err
	}
	return c.entry.Update(map[string]string{
		kept.DataState: string(kept.Ready), kept.DataVersion: c.version, kept.DataKubeconfig: c.KubeconfigPath(),
	})
}

func anyStatus(int) bool   { return true }
func isOK(status int) bool { return status == http.StatusOK }

// clients are what the boot talks to the API server with.
type clients struct{ admin, kubelet kubernetes.Interface }

func newClients(config *rest.Config) (clients, error) {
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return clients{}, fmt.Errorf("make a client: %w", err)
	}
	kubelet, err := kubernetes.NewForConfig(kubeletConfig(config))
	if err != nil {
		return clients{}, fmt.Errorf("make a client: %w", err)
	}
	return clients{admin: admin, kubelet: kubelet}, nil
}

// awaitStatus asks the API server for path until it answers with a status that will do.
func awaitStatus(ctx context.Context, config *rest.Config, path string, ok func(status int) bool) error {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		code, last := get(ctx, client, config.Host+path)
		if last == nil && ok(code) {
			return nil
		}
		if last == nil {
			last = fmt.Errorf("status %d", code)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s%s: %w (last answer: %w)", config.Host, path, context.Cause(ctx), last)
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// failFast returns a context that ends, with the reason as its cause, when a component ends.
func (c *Cluster) failFast(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	for _, p := range c.processes {
		go func() {
			select {
			case <-p.ended:
				cancel(p.failure())
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}
