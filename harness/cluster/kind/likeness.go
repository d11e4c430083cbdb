package kind

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	kindnodes "sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/yaml"
)

// Files on each node, at places that kind chose.
const (
	kubeadmFile    = "/kind/kubeadm.conf"
	containerdFile = "/etc/containerd/config.toml"
)

// markLabel is on the container, and the volume, of a node that is being added. Its value is this addition's.
const markLabel = "rehearse.dev/added"

// container is what matters here of a node's container, in the shapes of docker and nerdctl, and of podman.
type container struct {
	Name string
	// Image is what it runs: an ID, but for nerdctl. A name may have gone to another image since.
	Image  string
	Config struct {
		Image string
		Env   []string
	}
	HostConfig struct {
		Sysctls    map[string]string
		UsernsMode string
		Binds      []string
		Devices    []struct{ PathOnHost string }
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
	}
}

func (c container) name() string { return strings.TrimPrefix(c.Name, "/") }

// addresses are those of IPv4 and IPv6.
func (c container) addresses() (four, six string) {
	for _, n := range c.NetworkSettings.Networks {
		four, six = cmp.Or(four, n.IPAddress), cmp.Or(six, n.GlobalIPv6Address)
	}
	return four, six
}

func (e engine) inspect(ctx context.Context, name string) (container, error) {
	out, err := e.run(ctx, "inspect", name)
	if err != nil {
		return container{}, err
	}
	var found []container
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return container{}, fmt.Errorf("%s inspect %s: %w", e.binary, name, err)
	}
	if len(found) != 1 {
		return container{}, fmt.Errorf("%s inspect %s: it describes %d containers", e.binary, name, len(found))
	}
	return found[0], nil
}

// model describes the node that a new one is to be like: the first of the control plane that runs.
func (c *Cluster) model(ctx context.Context) (container, error) {
	nodes, err := c.controlPlanes(ctx)
	if err != nil {
		return container{}, err
	}
	return c.engine.inspect(ctx, nodes[0])
}

// likeness is a worker that is to be like another node.
type likeness struct{ node, cluster, network, mark string }

// startLike starts the container of a worker.
func (e engine) startLike(ctx context.Context, model container, to likeness) error {
	storage := "/var"
	if e.binary == "podman" { // its volumes are mounted without these options, unless they have a name
		volume, err := e.run(ctx, "volume", "create", "--label", clusterLabel+"="+to.cluster, "--label", markLabel+"="+to.mark)
		if err != nil {
			return err
		}
		storage = volume + ":/var:suid,exec,dev"
	}
	_, err := e.run(ctx, to.args(model, storage)...)
	return err
}

// args are those that kind starts a worker with (its provision.go), and what of the model's it found out about the machine
// and the network. What the user's config gives single nodes, mounts and ports, is not the new one's.
func (l likeness) args(model container, storage string) []string {
	args := []string{
		"run", "--detach", "--tty", "--name", l.node, "--hostname", l.node,
		"--label", clusterLabel + "=" + l.cluster, "--label", roleLabel + "=worker",
		"--label", markLabel + "=" + l.mark,
		"--net", l.network, "--restart=on-failure:1", "--init=false", "--cgroupns=private",
		"--privileged", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", storage, "--volume", "/lib/modules:/lib/modules:ro",
	}
	if slices.ContainsFunc(model.HostConfig.Binds, func(b string) bool { return strings.HasPrefix(b, "/dev/mapper:") }) {
		args = append(args, "--volume", "/dev/mapper:/dev/mapper")
	}
	for _, device := range model.HostConfig.Devices { // of engines without root, which do not share it by themselves
		if device.PathOnHost == "/dev/fuse" {
			args = append(args, "--device", device.PathOnHost)
		}
	}
	if model.HostConfig.UsernsMode == "host" {
		args = append(args, "--userns=host")
	}
	for _, name := range slices.Sorted(maps.Keys(model.HostConfig.Sysctls)) {
		args = append(args, "--sysctl="+name+"="+model.HostConfig.Sysctls[name])
	}
	for _, env := range model.Config.Env {
		if name, _, _ := strings.Cut(env, "="); !slices.Contains([]string{"PATH", "HOME", "HOSTNAME", "TERM", "KUBECONFIG"}, name) {
			args = append(args, "--env", env)
		}
	}
	return append(args, cmp.Or(model.Image, model.Config.Image))
}

// awaitSystem waits until a node's systemd is done, as kind does: what runs before may lose its control groups.
func (c *Cluster) awaitSystem(ctx context.Context, node string) error {
	const script = "until systemctl is-active --quiet multi-user.target; do sleep 0.2; done"
	if _, err := c.engine.run(ctx, "exec", node, "sh", "-c", script); err != nil {
		return fmt.Errorf("wait for systemd: %w", err)
	}
	return nil
}

// configure gives a node the model's configuration of containerd, and one for kubeadm of its own.
func (c *Cluster) configure(ctx context.Context, from, to kindnodes.Node) error {
	containerd, err := c.engine.run(ctx, "exec", from.String(), "cat", containerdFile)
	if err != nil {
		return err
	}
	if err := nodeutils.WriteFile(to, containerdFile, containerd+"\n"); err != nil {
		return fmt.Errorf("write %s: %w", containerdFile, err)
	}
	if _, err := c.engine.run(ctx, "exec", to.String(), "systemctl", "restart", "containerd"); err != nil {
		return err
	}
	model, err := c.engine.run(ctx, "exec", from.String(), "cat", kubeadmFile)
	if err != nil {
		return err
	}
	// That of the first boot is valid for a day.
	token, err := c.engine.run(ctx, "exec", from.String(), "kubeadm", "token", "create", "--ttl=15m", "--kubeconfig=/etc/kubernetes/admin.conf")
	if err != nil {
		return err
	}
	self, err := c.engine.inspect(ctx, to.String())
	if err != nil {
		return err
	}
	join, err := joinConfig(model, self, token)
	if err != nil {
		return fmt.Errorf("%s of node %s: %w", kubeadmFile, from, err)
	}
	if err := nodeutils.WriteFile(to, kubeadmFile, join); err != nil {
		return fmt.Errorf("write %s: %w", kubeadmFile, err)
	}
	return nil
}

// joinConfig makes of a node's configuration for kubeadm that with which a worker joins.
func joinConfig(model string, self container, token string) (string, error) {
	for document := range strings.SplitSeq("\n"+model, "\n---") {
		var join map[string]any
		if err := yaml.Unmarshal([]byte(document), &join); err != nil {
			return "", err
		}
		if join["kind"] != "JoinConfiguration" {
			continue
		}
		delete(join, "controlPlane")
		bootstrap, ok := dig(join, "discovery", "bootstrapToken")
		registration, ok2 := dig(join, "nodeRegistration")
		if !ok || !ok2 {
			return "", errors.New("its JoinConfiguration lacks discovery.bootstrapToken or nodeRegistration")
		}
		bootstrap["token"] = token
		registration["name"] = self.name()
		registration["kubeletExtraArgs"] = ownArgs(registration["kubeletExtraArgs"], self)
		out, err := yaml.Marshal(join)
		return string(out), err
	}
	return "", errors.New("it has no JoinConfiguration")
}

// dig returns the object at a path.
func dig(in map[string]any, path ...string) (map[string]any, bool) {
	for _, key := range path {
		next, ok := in[key].(map[string]any)
		if !ok {
			return nil, false
		}
		in = next
	}
	return in, true
}

// ownArgs are a kubelet's arguments with this node's addresses and name. They are a list since v1beta4, and were a map.
func ownArgs(args any, self container) any {
	switch args := args.(type) {
	case []any:
		own := []any{}
		for _, each := range args {
			arg, _ := each.(map[string]any)
			name, _ := arg["name"].(string)
			value, _ := arg["value"].(string)
			if value = ownArg(name, value, self); value != "" {
				own = append(own, map[string]any{"name": name, "value": value})
			}
		}
		return own
	case map[string]any:
		own := map[string]any{}
		for name, each := range args {
			value, _ := each.(string)
			if value = ownArg(name, value, self); value != "" {
				own[name] = value
			}
		}
		return own
	default:
		return args
	}
}

func ownArg(name, value string, self container) string {
	switch name {
	case "node-ip":
		four, six := self.addresses()
		own := strings.Split(value, ",")
		for i := range own {
			if own[i] = four; strings.Contains(strings.Split(value, ",")[i], ":") {
				own[i] = six
			}
		}
		return strings.Join(own, ",")
	case "provider-id": // kind://docker/cluster/node
		return value[:strings.LastIndex(value, "/")+1] + self.name()
	case "node-labels": // the config gives them to single nodes
		return ""
	default:
		return value
	}
}

// importScript loads an archive into containerd, as kind would, but for images of one platform: those for others are not in
// what was exported.
const importScript = `snapshotter="$(containerd config dump | sed -n "s/^ *snapshotter = ['\"]\([a-z-]\+\)['\"].*/\1/p" | head -n 1)"
exec ctr --namespace=k8s.io images import --digests ${snapshotter:+--snapshotter="$snapshotter"} "$0"`

// copyImages loads what a node lacks of the model's images.
func (c *Cluster) copyImages(ctx context.Context, from, to string) error {
	list := func(node string) ([]string, error) {
		all, err := c.engine.words(ctx, "exec", node, "ctr", "--namespace=k8s.io", "images", "ls", "-q")
		return slices.DeleteFunc(all, func(ref string) bool { return strings.HasPrefix(ref, "sha256:") }), err
	}
	if err := c.awaitContainerd(ctx, to); err != nil {
		return err
	}
	have, err := list(to)
	if err != nil {
		return err
	}
	missing, err := list(from)
	missing = slices.DeleteFunc(missing, func(ref string) bool { return slices.Contains(have, ref) })
	if err != nil || len(missing) == 0 {
		return err
	}
	// Through files: what a command in a container prints is cut short at times.
	name := "added-" + to + ".tar"
	inNode, here := "/var/lib/"+name, filepath.Join(imagesPath(c.dir), name)
	for _, command := range [][]string{
		append([]string{"exec", from, "ctr", "--namespace=k8s.io", "images", "export", inNode}, missing...),
		{"cp", from + ":" + inNode, here},
		{"cp", here, to + ":" + inNode},
		{"exec", to, "sh", "-c", importScript, inNode},
	} {
		if _, err = c.engine.run(ctx, command...); err != nil {
			break
		}
	}
	_, fromErr := c.engine.run(ctx, "exec", from, "rm", "-f", inNode)
	_, toErr := c.engine.run(ctx, "exec", to, "rm", "-f", inNode)
	if err := errors.Join(err, fromErr, toErr, os.RemoveAll(here)); err != nil {
		return fmt.Errorf("copy images: %w", err)
	}
	return nil
}
