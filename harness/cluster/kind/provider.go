// Package kind makes clusters of kind's: real kubelets in containers, driven by kind as a library.
//
// A cluster of N nodes has one control plane and N-1 workers unless a kind config says otherwise, and all N take pods.
// Docker, podman or nerdctl must run.
package kind

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// maxNodes bounds how many nodes a cluster may have: each is a container with a kubelet.
const maxNodes = 50

// deleteTimeout bounds the clean-up after a failed or interrupted creation.
const deleteTimeout = time.Minute

// ErrNameTaken means that there is a cluster of that name.
var ErrNameTaken = errors.New("there is a cluster of this name")

// namePattern is what a cluster may be called. kind adds "-control-plane" to make host names of at most 63 characters.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Archives names image archives to load into all nodes. It runs while the cluster is made.
type Archives func(ctx context.Context, progress func(phase string)) (paths []string, err error)

// Provider makes kind clusters.
type Provider struct {
	config    *v1alpha4.Cluster
	image     string
	archives  []Archives
	local     []string
	stateRoot string
	logs      string
}

var _ cluster.Provider = (*Provider)(nil)

// Option changes how clusters are made.
type Option func(*Provider)

// WithConfig makes clusters of a kind config, merged with what the harness needs.
func WithConfig(config *v1alpha4.Cluster) Option { return func(p *Provider) { p.config = config } }

// WithNodeImage has all nodes run this image, whatever the config says. Without it, and where the config is silent, it is
// OwnImage if the engine has it, else kind's own default.
func WithNodeImage(image string) Option { return func(p *Provider) { p.image = image } }

// WithImages loads image archives into all nodes. It may be given several times.
func WithImages(archives Archives) Option {
	return func(p *Provider) { p.archives = append(p.archives, archives) }
}

// WithLocalImages loads images that the container engine has into all nodes.
func WithLocalImages(names ...string) Option {
	return func(p *Provider) { p.local = append(p.local, names...) }
}

// WithStateRoot keeps the journal and the clusters' folders below root instead of the default place.
func WithStateRoot(root string) Option { return func(p *Provider) { p.stateRoot = root } }

// WithFailureLogs collects the logs of a cluster that could not be made into a folder below dir, which is named after it.
func WithFailureLogs(dir string) Option { return func(p *Provider) { p.logs = dir } }

// New returns a provider.
func New(opts ...Option) *Provider {
	p := &Provider{}
	for _, o := range opts {
		o(p)
	}
	return p
}

// ConfiguredBy is the same provider with the kind config of a file. Its error is a ConfigError if that is wrong.
func (p *Provider) ConfiguredBy(path string) (cluster.Provider, error) {
	config, err := ReadConfig(path)
	if err != nil {
		return nil, err
	}
	other := *p
	other.config = config
	return &other, nil
}

// Name is the provider's name in scenario files.
func (p *Provider) Name() string { return ProviderName }

// Create boots a cluster. It returns once the API server and everything in kube-system is ready, as many nodes are Ready
// as are wanted, there is a default StorageClass, and the images are loaded.
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
	if spec.Progress == nil {
		spec.Progress = func(string) {}
	}
	fail := func(err error) (*Cluster, error) { return nil, fmt.Errorf("kind cluster %s: %w", spec.Name, err) }
	if err := validate(spec); err != nil {
		return fail(err)
	}
	e, info, err := detect(ctx)
	if err != nil {
		return fail(err)
	}
	config, own, err := p.plan(ctx, e, info, spec)
	if err != nil {
		return fail(err)
	}
	if own {
		more = append(more, map[string]string{dataOwnImage: "true"})
	}
	c, err := p.begin(ctx, e, config, more)
	if err != nil {
		return fail(err)
	}
	c.ownImage = own
	if err := p.boot(ctx, c, config, spec.Progress); err != nil {
		return fail(p.giveUp(ctx, c, err))
	}
	return c, nil
}

func validate(spec cluster.Spec) error {
	if !namePattern.MatchString(spec.Name) {
		return fmt.Errorf("%q is no name for a cluster: at most 40 of a-z, 0-9 and -, with no - at either end", spec.Name)
	}
	if spec.Nodes < 0 || spec.Nodes > maxNodes {
		return fmt.Errorf("%d nodes are not between 1 and %d", spec.Nodes, maxNodes)
	}
	return nil
}

// plan chooses the node image and makes the config. It tells through progress what it chose.
func (p *Provider) plan(ctx context.Context, e engine, info engineInfo, spec cluster.Spec) (config *v1alpha4.Cluster, own bool, err error) {
	s := settings{
		name: spec.Name, user: p.config, nodes: spec.Nodes, image: p.image, override: p.image != "",
		host: host{cgroup1: info.cgroup1(), restricted: restricted()},
	}
	if s.image == "" {
		image, err := e.defaultImage(ctx)
		if err != nil {
			return nil, false, err
		}
		s.image = image.name
	}
	images, err := s.images()
	if err != nil {
		return nil, false, err
	}
	for _, name := range images {
		image, err := e.ensureImage(ctx, name, spec.Progress)
		if err != nil {
			return nil, false, err
		}
		if err := image.check(); err != nil {
			return nil, false, err
		}
		spec.Progress(fmt.Sprintf("node image %s, in %s", short(name), e.binary))
		s.ours = s.ours || image.ours
	}
	config, notes, err := s.compile()
	for _, note := range notes {
		spec.Progress(note)
	}
	return config, s.ours, err
}

// begin notes in the journal what is about to be made. What a killed process left of a cluster of that name is removed.
func (p *Provider) begin(ctx context.Context, e engine, config *v1alpha4.Cluster, more []map[string]string) (*Cluster, error) {
	root, err := p.root()
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(root)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "kind", journal.DirPrefix+randomHex(6))
	net := network{engine: e, name: chooseNetwork(e), cluster: config.Name, stateRoot: root}
	data := map[string]string{
		journal.DataProvider: ProviderName, kept.DataDir: dir, kept.DataState: string(kept.Starting), kept.DataNodes: strconv.Itoa(len(config.Nodes)),
		dataEngine: e.binary, dataStateRoot: root, dataNetwork: net.name,
	}
	for _, m := range append(more, endpoint()) {
		maps.Copy(data, m)
	}
	if err := makeWay(ctx, j, e, config.Name); err != nil {
		return nil, err
	}
	entry, err := j.Begin(journal.KindCluster, config.Name, data)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		name: config.Name, dir: dir, engine: e, entry: entry,
		network: net,
		deaths:  deaths{died: make(chan struct{}), dir: dir},
	}, nil
}

// root is the absolute path of the folder for state.
func (p *Provider) root() (string, error) {
	root := p.stateRoot
	if root == "" {
		var err error
		if root, err = journal.DefaultRoot(); err != nil {
			return "", err
		}
	}
	return filepath.Abs(root)
}

// makeWay removes what a dead process left of a cluster of that name. Nodes of that name that the journal does not know
// are not ours to touch.
func makeWay(ctx context.Context, j *journal.Journal, e engine, name string) error {
	if _, err := j.Get(journal.KindCluster, name); errors.Is(err, fs.ErrNotExist) {
		nodes, err := e.nodes(ctx, name)
		if err == nil && len(nodes) > 0 {
			err = fmt.Errorf("%w, which rehearse did not make: kind delete cluster --name %s removes it", ErrNameTaken, name)
		}
		return err
	}
	report, err := j.Collect(ctx, []journal.Undo{{Kind: journal.KindCluster, Remove: Undo}}, journal.CollectOptions{
		Only: func(r journal.Record) bool { return isOurs(r) && r.ID == name },
	})
	switch {
	case err != nil:
		return err
	case len(report.Failed) > 0:
		return fmt.Errorf("%w, which a killed process left: %w", ErrNameTaken, report.Failed[0].Err)
	case len(report.Kept) > 0:
		return fmt.Errorf("%w: it belongs to process %d", ErrNameTaken, report.Kept[0].Owner.PID)
	case len(report.Foreign) > 0:
		return fmt.Errorf("%w: it belongs to %s", ErrNameTaken, report.Foreign[0].Owner.Host)
	}
	return nil
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	return hex.EncodeToString(b)
}
