package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// ErrNoProcess says that no helm process runs that could be signalled.
var ErrNoProcess = errors.New("no helm process runs")

// Command is a helm program that driver cli runs.
type Command struct {
	// Path is the program.
	Path string
	// Own is set if it is one of ours, which acts as helm when it is run as OwnHelm says.
	Own bool
	// Major is the major version of its Helm.
	Major int
	// Version is the whole version, for messages.
	Version string
}

// Find finds the helm program that an operation is to be run with; which is nil if nothing says so.
type Find func(ctx context.Context, which *v1alpha1.Helm) (Command, error)

// CLI runs operations on one release with a helm command, one child process each. The processes end with this one, however
// that ends.
type CLI struct {
	target Target
	find   Find
	home   string
	grace  time.Duration

	mu    sync.Mutex // guards child
	child *child
}

// OpenCLI checks the target and returns its driver of child processes. Nothing is run yet.
func OpenCLI(t Target, find Find) (*CLI, error) {
	t, err := t.complete()
	if err != nil {
		return nil, err
	}
	switch {
	case t.Kubeconfig == "":
		return nil, errors.New("release: no cluster to run helm against: Target.Kubeconfig is empty")
	case t.HomeDir == "":
		return nil, errors.New("release: Target.HomeDir is empty; helm would use the user's own")
	}
	for _, path := range []*string{&t.BaseDir, &t.HomeDir, &t.Kubeconfig} { // the child has a working folder of its own
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, fmt.Errorf("release: %w", err)
		}
	}
	return &CLI{target: t, find: find, home: t.HomeDir, grace: defaultGrace}, nil
}

// Install installs the release's chart.
func (c *CLI) Install(ctx context.Context, spec v1alpha1.Install) error {
	return c.run(ctx, "install", how{spec.Helm, spec.FieldManager}, func(l *line) error { return l.install(ctx, spec) })
}

// Upgrade upgrades the release. With spec.Install it installs one that is not there.
func (c *CLI) Upgrade(ctx context.Context, spec v1alpha1.Upgrade) error {
	return c.run(ctx, "upgrade", how{spec.Helm, spec.FieldManager}, func(l *line) error { return l.upgrade(ctx, spec) })
}

// Rollback rolls the release back.
func (c *CLI) Rollback(ctx context.Context, spec v1alpha1.Rollback) error {
	return c.run(ctx, "rollback", how{spec.Helm, spec.FieldManager}, func(l *line) error { return l.rollback(ctx, spec) })
}

// Uninstall uninstalls the release.
func (c *CLI) Uninstall(ctx context.Context, spec v1alpha1.Uninstall) error {
	return c.run(ctx, "uninstall", how{helm: spec.Helm}, func(l *line) error { return l.uninstall(ctx, spec) })
}

// Test runs the release's test hooks.
func (c *CLI) Test(ctx context.Context, spec v1alpha1.Test) error {
	return c.run(ctx, "test", how{helm: spec.Helm}, func(l *line) error { return l.test(ctx, spec) })
}

// Signal sends a signal to the process of the operation under way. After SIGKILL it returns once the process has ended.
func (c *CLI) Signal(ctx context.Context, signal syscall.Signal) error {
	c.mu.Lock()
	running := c.child
	c.mu.Unlock()
	if running == nil {
		return ErrNoProcess
	}
	return running.signal(ctx, signal)
}

// how says which helm command does an operation, and under which field manager; empty means the target's.
type how struct {
	helm    *v1alpha1.Helm
	manager string
}

// run does one operation with the command line that write makes.
func (c *CLI) run(ctx context.Context, operation string, by how, write func(*line) error) error {
	by.manager = or(by.manager, c.target.FieldManager)
	if err := c.do(ctx, by, write); err != nil {
		return c.target.failure(ctx, operation, err)
	}
	return nil
}

func (c *CLI) do(ctx context.Context, by how, write func(*line) error) (err error) {
	command, err := c.find(ctx, by.helm)
	if err != nil {
		return err
	}
	if !command.Own && by.manager != DefaultFieldManager {
		return fmt.Errorf("%w: the helm command writes under the field manager %s and cannot be told to write under %s; leave out fieldManager or helm",
			ErrUnknownOption, DefaultFieldManager, by.manager)
	}
	if err := os.MkdirAll(c.home, 0o700); err != nil {
		return fmt.Errorf("making a home for helm: %w", err)
	}
	// What is in value files may be secret.
	tmp, err := os.MkdirTemp(c.home, "run-")
	if err != nil {
		return fmt.Errorf("making a folder for helm: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	l := &line{target: c.target, major: command.Major, version: command.Version, dir: tmp}
	if err := write(l); err != nil {
		return err
	}
	note, err := c.target.Note()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, note.Gone()) }()
	running, err := c.start(ctx, childSpec{
		path: command.Path, args: l.args, env: c.environment(command, by.manager), dir: c.home, log: c.target.Log, grace: c.grace,
		note: note,
	})
	if err != nil {
		return err
	}
	defer c.ended()
	return running.wait()
}

func (c *CLI) start(ctx context.Context, spec childSpec) (*child, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	c.child, err = startChild(ctx, spec)
	return c.child, err
}

func (c *CLI) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.child = nil
}

// passedOn are the variables that the child gets from this process: how to reach the network, and Docker's credentials for
// an oci:// chart, as driver sdk has them.
var passedOn = []string{
	"PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// environment is all that the child sees: nothing of the user's Helm or kubectl set-up.
func (c *CLI) environment(command Command, manager string) []string {
	within := func(name string) string { return filepath.Join(c.home, name) }
	env := []string{
		"HOME=" + c.home, "TMPDIR=" + c.home, "KUBECACHEDIR=" + within("kube-cache"),
		"HELM_CACHE_HOME=" + within("cache"), "HELM_CONFIG_HOME=" + within("config"), "HELM_DATA_HOME=" + within("data"),
	}
	for _, name := range passedOn {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	docker := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); docker == "" && err == nil {
		docker = filepath.Join(home, ".docker")
	}
	env = append(env, "DOCKER_CONFIG="+docker)
	if command.Own {
		env = append(env, ownHelmEnv+"="+manager)
	}
	return env
}
