package kind

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// worker3 is a container as docker inspect shows it.
const worker3 = `{"Name": "/c-worker3", "Image": "sha256:1", "Config": {"Image": "node:1", "Env": ["PATH=/bin", "KUBECONFIG=/etc/kubernetes/admin.conf", "HTTP_PROXY=p"]},
	"HostConfig": {"Binds": ["/lib/modules:/lib/modules:ro", "/dev/mapper:/dev/mapper"], "UsernsMode": "host", "Sysctls": {"net.x": "1"},
		"Devices": [{"PathOnHost": "/dev/fuse"}]},
	"NetworkSettings": {"Networks": {"kind": {"IPAddress": "172.18.0.9", "GlobalIPv6Address": "fc00::9"}}}}`

func inspected(t *testing.T) container {
	t.Helper()
	var c container
	if err := json.Unmarshal([]byte(worker3), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestJoinConfig(t *testing.T) {
	const other = "kind: ClusterConfiguration\nclusterName: c\n---\n"
	const end = `
discovery:
  bootstrapToken: {apiServerEndpoint: "c-control-plane:6443", token: old, unsafeSkipCAVerification: true}
skipPhases: [preflight]
---
kind: KubeletConfiguration
`
	list := func(ip string) string {
		return other + `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
controlPlane: {localAPIEndpoint: {advertiseAddress: 172.18.0.2, bindPort: 6443}}
nodeRegistration:
  criSocket: unix:///run/containerd/containerd.sock
  taints: []
  kubeletExtraArgs:
  - {name: node-ip, value: "` + ip + `"}
  - {name: provider-id, value: kind://docker/c/c-control-plane}
  - {name: node-labels, value: zone=a}
  - {name: v, value: "2"}` + end
	}
	want := func(version, args string) string {
		return `{"apiVersion":"` + version + `","discovery":{"bootstrapToken":{"apiServerEndpoint":"c-control-plane:6443","token":"new","unsafeSkipCAVerification":true}},` +
			`"kind":"JoinConfiguration","nodeRegistration":{` + args + `},"skipPhases":["preflight"]}`
	}
	wantList := func(ip string) string {
		return want("kubeadm.k8s.io/v1beta4", `"criSocket":"unix:///run/containerd/containerd.sock","kubeletExtraArgs":[{"name":"node-ip","value":"`+ip+
			`"},{"name":"provider-id","value":"kind://docker/c/c-worker3"},{"name":"v","value":"2"}],"name":"c-worker3","taints":[]`)
	}
	for name, test := range map[string]struct{ model, want string }{
		"a list":       {list("172.18.0.2"), wantList("172.18.0.9")},
		"IPv6":         {list("fc00::2"), wantList("fc00::9")},
		"both":         {list("172.18.0.2,fc00::2"), wantList("172.18.0.9,fc00::9")},
		"IPv6 first":   {list("fc00::2,172.18.0.2"), wantList("fc00::9,172.18.0.9")},
		"before lists": {other + "apiVersion: v1beta3\nkind: JoinConfiguration\nnodeRegistration: {kubeletExtraArgs: {node-ip: 172.18.0.2, node-labels: a=b}}" + end, want("v1beta3", `"kubeletExtraArgs":{"node-ip":"172.18.0.9"},"name":"c-worker3"`)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := joinConfig(test.model, inspected(t), "new")
			if err != nil {
				t.Fatal(err)
			}
			if asJSON, err := yaml.YAMLToJSON([]byte(got)); err != nil || string(asJSON) != test.want {
				t.Errorf("%v\n%s\nwant\n%s", err, asJSON, test.want)
			}
		})
	}
	for model, want := range map[string]string{
		other: "no JoinConfiguration",
		"kind: JoinConfiguration\nnodeRegistration: {}": "lacks discovery",
		"kind: [": "yaml",
	} {
		if _, err := joinConfig(model, inspected(t), "new"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", model, err)
		}
	}
}

func TestLikeness(t *testing.T) {
	args := likeness{node: "extra", cluster: "c", network: "kind", mark: "m"}.args(inspected(t), "/var")
	for _, want := range [][]string{
		{"--name", "extra"},
		{"--label", "io.x-k8s.kind.cluster=c"},
		{"--label", "io.x-k8s.kind.role=worker"},
		{"--volume", "/var"},
		{"--volume", "/dev/mapper:/dev/mapper"},
		{"--userns=host"},
		{"--sysctl=net.x=1"},
		{"--env", "HTTP_PROXY=p"},
		{"--device", "/dev/fuse"},
		{"--label", "rehearse.dev/added=m"},
	} {
		if !strings.Contains(strings.Join(args, " "), strings.Join(want, " ")) {
			t.Errorf("%q lacks %q", args, want)
		}
	}
	if args[len(args)-1] != "sha256:1" || slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "KUBECONFIG") }) {
		t.Errorf("args: %q", args)
	}
}
