package kind

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

const header = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n"

func TestParseConfig(t *testing.T) {
	t.Parallel()
	config, err := ParseConfig([]byte(header+"networking: {podSubnet: 10.1.0.0/16}\nnodes:\n- role: worker\n  image: a:1\n"), "a.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if config.Networking.PodSubnet != "10.1.0.0/16" || len(config.Nodes) != 1 || config.Nodes[0].Image != "a:1" {
		t.Errorf("read: %+v", config)
	}
	if config, err := ParseConfig([]byte("networking: {ipFamily: dual}\n"), "a.yaml"); err != nil || config.Networking.IPFamily != "dual" {
		t.Errorf("read without a header: %+v, %v", config, err)
	}
	for name, test := range map[string]struct {
		text string
		want []string // the mistakes, each with its place
	}{
		"unknown field": {header + "nods: []\n", []string{`a.yaml:3:1: nods: unknown field (did you mean "nodes"?)`}},
		"other version": {"apiVersion: kind.x-k8s.io/v1alpha3\nkind: Cluster\n", []string{`a.yaml:1:13: apiVersion: is "kind.x-k8s.io/v1alpha3" and must be kind.x-k8s.io/v1alpha4`}},
		"other kind":    {"apiVersion: kind.x-k8s.io/v1alpha4\nkind: Pod\n", []string{`a.yaml:2:7: kind: is "Pod" and must be Cluster`}},
		"no YAML":       {"a: [", []string{"a.yaml:1:5: is not valid YAML: did not find expected node content"}},
		"two documents": {header + "---\n" + header, []string{"a.yaml:4:1: a second document begins here; a file holds one document only: move it to a file of its own"}},
		"a wrong type":  {header + "nodes: 3\n", []string{"a.yaml:3:8: nodes: want a list, found the integer 3"}},
		"a wrong mount": {"nodes: [{extraMounts: [{propagation: Some}]}]\n", []string{`a.yaml:1:1: Unknown MountPropagation: "Some"`}},
		"unknown values": {
			"networking: {kubeProxyMode: iptable, serviceSubnet: \"10.0.0.0/16,x\"}\nnodes: [{}, {role: main}]\n", []string{
				`a.yaml:1:29: networking.kubeProxyMode: "iptable" is none of iptables, ipvs, nftables, none (did you mean "iptables"?)`,
				`a.yaml:1:53: networking.serviceSubnet: "x" is no subnet such as 10.10.0.0/16`,
				`a.yaml:2:20: nodes[1].role: "main" is none of control-plane, worker`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseConfig([]byte(test.text), "a.yaml")
			var wrong *ConfigError
			if !errors.Is(err, ErrConfig) || !errors.As(err, &wrong) {
				t.Fatalf("error %v, want %v", err, ErrConfig)
			}
			var got []string
			for _, p := range wrong.Problems {
				got = append(got, wrong.Place(p))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What kind accepts is accepted, although scenario files are held to more.
func TestParseConfigIsAsKind(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":       "",
		"a null":        "nodes:\nnetworking: {podSubnet: 10.1.0.0/16}\n",
		"a bare number": "nodes: [{labels: {tier: 1}}]\n",
		"a merge key":   "nodes: [&a {role: worker}, {<<: *a, image: b}]\n",
		"ports":         "networking: {apiServerPort: -1}\nnodes: [{extraPortMappings: [{containerPort: 80, hostPort: -1, protocol: tcp}]}]\n",
		"a search list": "networking: {dnsSearch: []}\n",
	} {
		if _, err := ParseConfig([]byte(text), "a.yaml"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A config within another document has no places of its own.
func TestConfigOf(t *testing.T) {
	t.Parallel()
	_, err := ConfigOf(map[string]any{"nods": 1}, "spec")
	if err == nil || err.Error() != `unusable kind config: spec: nods: unknown field (did you mean "nodes"?)` {
		t.Errorf("error: %v", err)
	}
}

func TestCompileNodes(t *testing.T) {
	t.Parallel()
	controlPlane, worker := v1alpha4.Node{Role: v1alpha4.ControlPlaneRole}, v1alpha4.Node{Role: v1alpha4.WorkerRole}
	labelled := v1alpha4.Node{Role: v1alpha4.WorkerRole, Labels: map[string]string{"zone": "a"}, Image: "b:2"}
	for name, test := range map[string]struct {
		listed   []v1alpha4.Node
		nodes    int
		override bool
		want     []string // role and image
		says     string   // of the error
	}{
		"nothing asked":                 {want: []string{"control-plane a:1"}},
		"one":                           {nodes: 1, want: []string{"control-plane a:1"}},
		"three":                         {nodes: 3, want: []string{"control-plane a:1", "worker a:1", "worker a:1"}},
		"the config decides":            {listed: []v1alpha4.Node{controlPlane, worker}, want: []string{"control-plane a:1", "worker a:1"}},
		"no role is control plane":      {listed: []v1alpha4.Node{{}}, want: []string{" a:1"}},
		"filled up":                     {listed: []v1alpha4.Node{controlPlane}, nodes: 2, want: []string{"control-plane a:1", "worker a:1"}},
		"too many listed":               {listed: []v1alpha4.Node{controlPlane, worker}, nodes: 1, says: "lists 2 nodes, and 1 are wanted"},
		"images of nodes stay":          {listed: []v1alpha4.Node{controlPlane, labelled}, want: []string{"control-plane a:1", "worker b:2"}},
		"an image for all":              {listed: []v1alpha4.Node{controlPlane, labelled}, override: true, want: []string{"control-plane a:1", "worker a:1"}},
		"a control plane goes first":    {listed: []v1alpha4.Node{worker}, nodes: 2, want: []string{"control-plane a:1", "worker a:1"}},
		"no room for the control plane": {listed: []v1alpha4.Node{worker, worker}, nodes: 2, says: "lists no control-plane node"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings{name: "c", user: &v1alpha4.Cluster{Nodes: test.listed}, nodes: test.nodes, image: "a:1", override: test.override}
			config, _, err := s.compile()
			if test.says != "" {
				if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("error %v, want one that says %q", err, test.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range config.Nodes {
				got = append(got, string(n.Role)+" "+n.Image)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if len(test.listed) > 1 && test.listed[1].Image == "a:1" {
				t.Error("the user's config was changed")
			}
		})
	}
}

// What is added for a machine or an image is added only there, and said.
func TestCompileNeeds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings settings
		patches  []string // that must be there
		oomScore bool     // that containerd is patched
		notes    []string
	}{
		"a plain machine": {settings: settings{nodes: 1}, patches: []string{kubeletFaultPatch}},
		"several nodes": {
			settings: settings{nodes: 2}, patches: append([]string{kubeletFaultPatch}, untaintPatches()...),
		},
		"control groups of version 1": {
			settings: settings{nodes: 1, host: host{cgroup1: true}}, patches: []string{kubeletFaultPatch, cgroup1Patch}, oomScore: true,
			notes: []string{"failCgroupV1", "restrict_oom_score_adj"},
		},
		"a withheld capability": {
			settings: settings{nodes: 1, host: host{restricted: true}}, patches: []string{kubeletFaultPatch}, oomScore: true,
			notes: []string{"restrict_oom_score_adj"},
		},
		"our own image": {
			settings: settings{nodes: 1, ours: true}, patches: []string{kubeletFaultPatch, ownImagePatch}, notes: []string{"kindnet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, notes, err := test.settings.compile()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.patches, config.KubeadmConfigPatches); diff != "" {
				t.Errorf("patches: %s", diff)
			}
			if got := len(config.ContainerdConfigPatches) > 0; got != test.oomScore {
				t.Errorf("containerd patches: %q", config.ContainerdConfigPatches)
			}
			if got := config.Networking.DisableDefaultCNI; got != test.settings.ours {
				t.Errorf("disableDefaultCNI: %v", got)
			}
			if len(notes) != len(test.notes) {
				t.Fatalf("notes: %q, want %d", notes, len(test.notes))
			}
			for i, says := range test.notes {
				if !strings.Contains(notes[i], says) {
					t.Errorf("note %q does not say %q", notes[i], says)
				}
			}
		})
	}
}

// The user's patches come after ours, and a flag that he sets is left to him.
func TestCompileUserWins(t *testing.T) {
	t.Parallel()
	user := &v1alpha4.Cluster{
		KubeadmConfigPatches:    []string{"kind: KubeletConfiguration\nnodeLeaseDurationSeconds: 40\n"},
		ContainerdConfigPatches: []string{"mine"},
		Nodes: []v1alpha4.Node{{KubeadmConfigPatchesJSON6902: []v1alpha4.PatchJSON6902{{
			Group: "kubeadm.k8s.io", Version: "v1beta4", Kind: "ClusterConfiguration",
			Patch: `[{"op":"add","path":"/controllerManager/extraArgs/-","value":{"name":"node-monitor-grace-period","value":"20s"}}]`,
		}}}},
	}
	config, _, err := settings{user: user, host: host{cgroup1: true}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.KubeadmConfigPatches[len(config.KubeadmConfigPatches)-1]; got != user.KubeadmConfigPatches[0] {
		t.Errorf("the last patch is %q", got)
	}
	if diff := cmp.Diff([]string{oomScorePatch, "mine"}, config.ContainerdConfigPatches); diff != "" {
		t.Error(diff)
	}
	for _, p := range config.KubeadmConfigPatchesJSON6902 {
		if strings.Contains(p.Patch, "node-monitor-grace-period") {
			t.Errorf("%s: the flag is set beside the user's: %s", p.Version, p.Patch)
		}
		for _, flag := range []string{"default-not-ready-toleration-seconds", "default-unreachable-toleration-seconds", "node-monitor-period"} {
			if !strings.Contains(p.Patch, flag) {
				t.Errorf("%s: %s is missing: %s", p.Version, flag, p.Patch)
			}
		}
	}
	if len(config.KubeadmConfigPatchesJSON6902) != 2 {
		t.Errorf("patches: %+v", config.KubeadmConfigPatchesJSON6902)
	}
}
