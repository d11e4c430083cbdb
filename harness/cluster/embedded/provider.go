// Package embedded makes clusters of real control-plane components, run as child processes, and simulated nodes.
//
// etcd, kube-apiserver, kube-controller-manager and kube-scheduler come from one multi-call binary (cmd/kube), which is
// built on demand. Nodes and pods are simulated in this process by KWOK. No container runtime is needed.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// providerName is the provider's name in scenario files.
const providerName = "embedded"

// defaultNodes is how many nodes a cluster gets that asks for none.
const defaultNodes = 3

// namePattern is what a cluster may be called.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Provider makes embedded clusters.
type Provider struct {
	kube      string
	stateRoot string
	dataRoot  string
	freePort  func() (int, error)
}

var _ cluster.Provider = (*Provider)(nil)

// Option changes how clusters are made.
type Option func(*Provider)

// WithKubeBinary uses the kube binary at path; without it REHEARSE_KUBE_BIN or, failing that, EnsureKube says which.
func WithKubeBinary(path string) Option { return func(p *Provider) { p.kube = path } }

// WithStateRoot keeps the journal below root instead of the default place.
func WithStateRoot(root string) Option { return func(p *Provider) { p.stateRoot = root } }

// WithDataRoot keeps the clusters' folders in dir instead of in memory.
func WithDataRoot(dir string) Option { return func(p *Provider) { p.dataRoot = dir } }

// New returns a provider.
func New(opts ...Option) *Provider {
	p := &Provider{freePort: freePort}
	for _, o := range opts {
		o(p)
	}
	return p
}

// Name is the provider's name in scenario files.
func (p *Provider) Name() string { return providerName }

// Create boots a cluster. It returns once the API server is ready and the nodes are; the controller manager and the
// scheduler run by then but may still be loading.
func (p *Provider) Create(ctx context.Context, spec cluster.Spec) (cluster.Cluster, error) {
	c, err := p.create(ctx, spec)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *Provider) create(ctx context.Context, spec cluster.Spec, more ...map[string]string) (*Cluster, error) {
	if spec.Name == "" {
		spec.Name = "rehearse-" + randomHex(4)
	}
	if spec.Nodes == 0 {
		spec.Nodes = defaultNodes
	}
	if spec.Progress == nil {
		spec.Progress = func(string) {}
	}
	fail := func(err error) (*Cluster, error) { return nil, fmt.Errorf("embedded cluster %s: %w", spec.Name, err) }
	if err := validate(spec); err != nil {
		return fail(err)
	}
	kube, err := p.binary(ctx, spec.Progress)
	if err != nil {
		return fail(err)
	}
	c, err := p.begin(ctx, spec, kube, more)
	if err != nil {
		return fail(err)
	}
	if err := c.boot(ctx, spec, p.freePort); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
		defer cancel()
		return fail(errors.Join(err, c.Delete(cleanup)))
	}
	return c, nil
}

// begin notes in the journal what is about to be made. What a killed process left of a cluster of that name is removed.
func (p *Provider) begin(ctx context.Context, spec cluster.Spec, kube string, more []map[string]string) (*Cluster, error) {
	j, err := journal.Open(p.stateRoot)
	if err != nil {
		return nil, err
	}
	dir, err := p.newDir()
	if err != nil {
		return nil, err
	}
	data := map[string]string{
		journal.DataProvider: providerName, kept.DataDir: dir, kept.DataState: string(kept.Starting), kept.DataNodes: strconv.Itoa(spec.Nodes),
	}
	for _, m := range more {
		maps.Copy(data, m)
	}
	entry, err := j.Begin(journal.KindCluster, spec.Name, data)
	if errors.Is(err, journal.ErrExists) {
		if err := p.makeWay(ctx, spec.Name); err != nil {
			return nil, err
		}
		entry, err = j.Begin(journal.KindCluster, spec.Name, data)
	}
	if err != nil {
		return nil, err
	}
	return &Cluster{name: spec.Name, dir: dir, kube: kube, entry: entry, ending: make(chan struct{}), died: make(chan struct{})}, nil
}

// newDir chooses a folder for a cluster. It does not exist yet.
func (p *Provider) newDir() (string, error) {
	root := p.dataRoot
	if root == "" {
		root = dataRoot()
	}
	return filepath.Abs(filepath.Join(root, journal.DirPrefix+randomHex(6)))
}

// deleteTimeout bounds the clean-up after a failed boot.
const deleteTimeout = 15 * time.Second

func validate(spec cluster.Spec) error {
	if !namePattern.MatchString(spec.Name) {
		return fmt.Errorf("%q is no name for a cluster: at most 40 of a-z, 0-9 and -, with no - at either end", spec.Name)
	}
	if spec.Nodes < 0 || spec.Nodes > maxNodes {
		return fmt.Errorf("%d nodes are not between 1 and %d", spec.Nodes, maxNodes)
	}
	return nil
}

// binary finds the kube binary, or has it built.
func (p *Provider) binary(ctx context.Context, progress func(string)) (string, error) {
	if p.kube == "" {
		return ensureKube(ctx, p.stateRoot, progress)
	}
	return checkBinary(p.kube, "kube binary")
}
