package nodeimage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const kubeadmList = `registry.example/kube-apiserver:v1
registry.example/kube-controller-manager:v1
registry.example/kube-scheduler:v1
registry.example/kube-proxy:v1
registry.example/coredns/coredns:v2
registry.example/pause:3.11
registry.example/etcd:4
`

func TestChooseImages(t *testing.T) {
	t.Parallel()
	kube := []string{
		"registry.example/kube-apiserver:v1", "registry.example/kube-controller-manager:v1",
		"registry.example/kube-scheduler:v1", "registry.example/etcd:4",
	}
	for name, test := range map[string]struct {
		config string
		pause  []string
	}{
		"one more pause":  {`  sandbox_image = "registry.example/pause:3.10"`, []string{"registry.example/pause:3.11", "registry.example/pause:3.10"}},
		"the same pause":  {`sandbox_image = "registry.example/pause:3.11"`, []string{"registry.example/pause:3.11"}},
		"no pause at all": {`# sandbox_image = "registry.example/pause:3.11"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := chooseImages(kubeadmList, test.config)
			if (err != nil) != (test.pause == nil) {
				t.Fatalf("error: %v", err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(imageNames{kube: kube, pause: test.pause}, got, cmp.AllowUnexported(imageNames{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got, err := chooseImages("registry.example/etcd:4\n", `sandbox_image = "x"`); err == nil {
		t.Errorf("was content with %v", got)
	}
}
