package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/log"
)

// EnvEngine names the container engine, as it does for the kind command: docker, podman, nerdctl, finch or nerdctl.lima.
const EnvEngine = "KIND_EXPERIMENTAL_PROVIDER"

// ErrNoRuntime means that no container engine that kind can use runs here.
var ErrNoRuntime = errors.New("no container engine runs here")

// killedWait is how long the pipes of a command that was killed may stay open: children of its own may hold them.
const killedWait = 2 * time.Second

// engine is a container engine, driven by its command.
type engine struct {
	// binary is the command, for example docker.
	binary string
	// env is added to the environment of this process.
	env []string
}

// engines lists them in kind's order of preference.
func engines() []string { return []string{"docker", "nerdctl", "finch", "podman"} }

// endpointEnv lists the variables that say which engine a command speaks to.
func endpointEnv() []string { return []string{"DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"} }

// engineInfo is what matters here of an engine's info, in the shapes of docker and nerdctl, and of podman.
type engineInfo struct {
	CgroupVersion string
	Host          struct {
		CgroupVersion string `json:"cgroupVersion"`
	} `json:"host"`
}

// cgroup1 tells whether nodes will live in control groups of version 1.
func (i engineInfo) cgroup1() bool {
	return i.CgroupVersion == "1" || i.Host.CgroupVersion == "v1"
}

// Engine is the command of the container engine in which clusters are made here. The error wraps ErrNoRuntime if none runs.
func Engine(ctx context.Context) (string, error) {
	e, _, err := detect(ctx)
	return e.binary, err
}

// detect returns the engine to use, which runs. EnvEngine leaves no choice; without it the first that runs is taken.
func detect(ctx context.Context) (engine, engineInfo, error) {
	candidates := engines()
	if name := os.Getenv(EnvEngine); name != "" {
		if !slices.Contains(append(candidates, "nerdctl.lima"), name) {
			return engine{}, engineInfo{}, fmt.Errorf("%s=%s is no container engine that kind knows (there are: %s, nerdctl.lima)",
				EnvEngine, name, strings.Join(candidates, ", "))
		}
		candidates = []string{name}
	}
	var problems []string
	for _, name := range candidates {
		e := engine{binary: name}
		info, err := e.info(ctx)
		if err == nil {
			return e, info, nil
		}
		if ctx.Err() != nil {
			return engine{}, engineInfo{}, err
		}
		if !errors.Is(err, exec.ErrNotFound) {
			problems = append(problems, err.Error())
		}
	}
	return engine{}, engineInfo{}, noRuntime(candidates, problems)
}

func noRuntime(candidates, problems []string) error {
	if len(problems) == 0 {
		remedy := "install one of them"
		if len(candidates) == 1 {
			remedy = "install it, or unset " + EnvEngine + ", which chose it"
		}
		return fmt.Errorf("%w: found no %s on the PATH (%s; or use provider embedded, which needs none)",
			ErrNoRuntime, strings.Join(candidates, ", "), remedy)
	}
	remedy := "start it, for example with: sudo systemctl start docker"
	if len(candidates) == 1 && candidates[0] != "docker" {
		remedy = "see that " + candidates[0] + " info works, or unset " + EnvEngine + ", which chose it"
	}
	return fmt.Errorf("%w: %s (%s; or use provider embedded, which needs none)", ErrNoRuntime, strings.Join(problems, "; "), remedy)
}

// info asks the engine about itself, which fails if it does not run.
func (e engine) info(ctx context.Context) (engineInfo, error) {
	var info engineInfo
	out, err := e.run(ctx, "info", "--format", "{{json .}}")
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		return info, fmt.Errorf("%s info: %w", e.binary, err)
	}
	return info, nil
}

// provider returns kind's provider for the engine. kind keeps state in it, so each use has one of its own.
func (e engine) provider(logger log.Logger) *cluster.Provider {
	option := cluster.ProviderWithNerdctl(e.binary)
	switch e.binary {
	case "docker":
		option = cluster.ProviderWithDocker()
	case "podman":
		option = cluster.ProviderWithPodman()
	}
	return cluster.NewProvider(option, cluster.ProviderWithLogger(logger))
}

// command prepares a command of the engine. It is killed when ctx ends.
func (e engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.binary, args...)
	cmd.Env = append(os.Environ(), e.env...)
	cmd.WaitDelay = killedWait
	return cmd
}

// run runs a command of the engine and returns what it prints.
func (e engine) run(ctx context.Context, args ...string) (string, error) {
	cmd := e.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return strings.TrimSpace(stdout.String()), nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	said := strings.TrimSpace(lastLines(stderr.String(), 3))
	if said == "" {
		return "", fmt.Errorf("%s %s: %w", e.binary, args[0], err)
	}
	return "", fmt.Errorf("%s %s: %w: %s", e.binary, args[0], err, said)
}

// words runs a command of the engine and returns the words that it prints.
func (e engine) words(ctx context.Context, args ...string) ([]string, error) {
	out, err := e.run(ctx, args...)
	return strings.Fields(out), err
}

// endpoint returns what a later process needs to speak to the same engine.
func endpoint() map[string]string {
	data := map[string]string{}
	for _, name := range endpointEnv() {
		if value := os.Getenv(name); value != "" {
			data[dataEnv+name] = value
		}
	}
	return data
}

// lastLines returns the last lines of a text.
func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
