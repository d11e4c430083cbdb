package nodeimage

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
)

func TestNodeFiles(t *testing.T) {
	t.Parallel()
	files, err := nodeFiles(workpieces(t), "v1.99.0")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	for _, f := range files {
		got[f.Path] = f.Mode
	}
	want := map[string]fs.FileMode{
		"/etc/containerd/cni.template": 0o644, "/etc/containerd/config.toml": 0o644,
		"/kind/containerd-extra.toml": 0o644, "/kind/manifests/default-cni.yaml": 0o644,
		"/kind/manifests/default-storage.yaml": 0o644, "/kind/version": 0o644,
		"/kind/patches/corednsdeployment+strategic.yaml": 0o644,
		"/usr/local/bin/entrypoint":                      0o755,
		// Zero stands for 0755.
		"/usr/bin/kube": 0, "/usr/bin/kubeadm": 0, "/usr/bin/kubectl": 0, "/usr/bin/kubelet": 0,
		"/usr/local/bin/containerd": 0, "/usr/local/bin/ctr": 0, "/opt/cni/bin/bridge": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := kindFiles(filepath.Join(t.TempDir(), "empty")); err == nil {
		t.Error("a module without files of a node was good enough")
	}
}

// TestCNITemplate fills the template in as containerd does: what comes out must be what CNI reads.
func TestCNITemplate(t *testing.T) {
	t.Parallel()
	parsed, err := template.New("").Parse(cniTemplate)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = parsed.Execute(&out, struct {
		PodCIDR               string
		PodCIDRRanges, Routes []string
	}{"10.244.1.0/24", []string{"10.244.1.0/24", "fd00::/64"}, []string{"0.0.0.0/0", "::/0"}})
	if err != nil {
		t.Fatal(err)
	}
	var conf struct {
		Plugins []struct {
			IPAM struct {
				Ranges [][]struct{ Subnet string }
				Routes []struct{ Dst string }
			}
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &conf); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	ipam := conf.Plugins[0].IPAM
	if len(ipam.Ranges) != 2 || ipam.Ranges[1][0].Subnet != "fd00::/64" || len(ipam.Routes) != 2 || ipam.Routes[0].Dst != "0.0.0.0/0" {
		t.Errorf("addresses: %+v", ipam)
	}
}
