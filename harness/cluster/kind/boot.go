package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"rehearse.dev/rehearse/harness/cluster/kept"
)

// bootTimeout bounds the boot of a cluster, of which kind itself bounds only parts.
const bootTimeout = 10 * time.Minute

// tries is how often kind is asked to make a cluster whose nodes could not be started for a reason that passes.
const tries = 3

// boot makes all of the cluster. On error giveUp removes what there is of it.
func (p *Provider) boot(ctx context.Context, c *Cluster, config *v1alpha4.Cluster, progress func(string)) error {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("not ready after %s", bootTimeout))
	defer cancel()
	if err := makeDirs(c.dir); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	archives := sync.OnceValues(func() ([]string, error) { return p.gather(ctx, c, progress) })
	group.Go(func() error { // while kind makes the nodes
		_, err := archives()
		return err
	})
	group.Go(func() error {
		if err := c.makeNodes(ctx, config, archives, progress); err != nil {
			return err
		}
		return c.prepare(ctx, len(config.Nodes), progress)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if err := removeContent(imagesPath(c.dir)); err != nil { // archives may be large, and the nodes have them now
		return err
	}
	if err := c.watch(ctx); err != nil {
		return err
	}
	progress(fmt.Sprintf("Kubernetes %s with %d kind nodes is ready after %s",
		c.version, len(config.Nodes), time.Since(began).Round(10*time.Millisecond)))
	return c.entry.Update(map[string]string{
		kept.DataState: string(kept.Ready), kept.DataVersion: c.version, kept.DataKubeconfig: c.KubeconfigPath(),
	})
}

// makeNodes has kind make the cluster, and loads the archives into its nodes.
func (c *Cluster) makeNodes(ctx context.Context, config *v1alpha4.Cluster, archives func() ([]string, error), progress func(string)) error {
	log, err := os.OpenFile(filepath.Join(logsPath(c.dir), "kind.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open kind's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	for try := 1; ; try++ {
		if err := c.network.ensure(ctx, config.Networking.IPFamily); err != nil {
			return err
		}
		phases := newPhases(progress, log)
		err := c.createOnce(ctx, config, phases, func(ctx context.Context) error { return c.load(ctx, archives, progress) })
		phases.close()
		if err == nil || ctx.Err() != nil || try == tries || !passing(err) {
			return explainCreate(err, phases.failure())
		}
		progress("trying again: " + lastLines(err.Error(), 1))
		if err := c.engine.removeNodes(ctx, c.name); err != nil {
			return err
		}
	}
}

// createOnce has kind make the cluster once. Images are loaded while the control plane starts: later they would be beside
// the start of kube-proxy on the workers, for which a boot waits.
func (c *Cluster) createOnce(ctx context.Context, config *v1alpha4.Cluster, phases *phases, load func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := c.create(ctx, config, phases)
		if err == nil {
			phases.nodesRun() // should kind call the phases something else
		}
		return err
	})
	group.Go(func() error {
		select {
		case <-phases.running:
			return load(ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return group.Wait()
}

func (c *Cluster) create(ctx context.Context, config *v1alpha4.Cluster, phases *phases) error {
	provider := c.engine.provider(phases)
	c.creating = start("create the nodes", func() error {
		return provider.Create(c.name,
			kindcluster.CreateWithV1Alpha4Config(config.DeepCopy()),
			kindcluster.CreateWithKubeconfigPath(c.KubeconfigPath()),
			kindcluster.CreateWithRetain(true), // their logs are wanted first; they are removed here
		)
	})
	return c.creating.wait(ctx)
}

// prepare makes of running nodes a cluster that can be used.
func (c *Cluster) prepare(ctx context.Context, nodes int, progress func(string)) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.KubeconfigPath())
	if err != nil {
		return fmt.Errorf("read kind's kubeconfig: %w", err)
	}
	config.QPS = -1
	c.config = config
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := c.count(ctx); err != nil {
		return err
	}
	progress("waiting for nodes and system pods")
	if c.version, err = awaitAPI(ctx, client); err != nil {
		return err
	}
	return c.awaitWorking(ctx, client, nodes)
}

// awaitWorking waits until pods can run on all nodes, reach each other and reach Services.
func (c *Cluster) awaitWorking(ctx context.Context, client *kubernetes.Clientset, nodes int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.awaitReady(ctx, client, nodes) })
	group.Go(func() error {
		if err := c.learn(ctx, client, nodes); err != nil {
			return err
		}
		if err := c.connect(ctx); err != nil {
			return err
		}
		return c.awaitServices(ctx, client, c.Nodes()...)
	})
	return group.Wait()
}

// giveUp collects logs of a cluster that could not be made, if anybody wants them, and removes what there is of it.
func (p *Provider) giveUp(ctx context.Context, c *Cluster, cause error) error {
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if p.logs != "" && ctx.Err() == nil {
		dir := filepath.Join(p.logs, c.name)
		if err := c.CollectLogs(cleanup, dir); err != nil {
			cause = errors.Join(cause, err)
		} else {
			cause = fmt.Errorf("%w (logs of its nodes: %s)", cause, dir)
		}
	}
	return errors.Join(cause, c.Delete(cleanup))
}

// explainCreate adds what failed, and the end of what the failed command printed.
func explainCreate(err error, phase string) error {
	if err == nil {
		return nil
	}
	if phase != "" {
		err = fmt.Errorf("%s: %w", phase, err)
	}
	if failed := failedCommand(err); failed != nil && len(failed.Output) > 0 {
		return fmt.Errorf("%w; the end of its output:\n%s", err, lastLines(string(failed.Output), 15))
	}
	return err
}

// makeDirs makes a cluster's folder, which must not exist, and those in it. Nobody but the user can enter it: the
// kubeconfig is in there.
func makeDirs(dir string) error {
	err := os.MkdirAll(filepath.Dir(dir), 0o700)
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	for _, sub := range []string{logsPath(dir), cachePath(dir), imagesPath(dir)} {
		if err == nil {
			err = os.Mkdir(sub, 0o700)
		}
	}
	if err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	return nil
}
