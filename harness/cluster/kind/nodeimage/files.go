package nodeimage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/cachedir"
	"rehearse.dev/rehearse/harness/cluster/internal/image"
)

// containerdExtra is appended to kind's configuration of containerd: pods get addresses of the node's own range, which
// the kubelet learns from the API server. A fixed range would give pods of different nodes the same addresses.
const containerdExtra = `
[plugins."io.containerd.grpc.v1.cri".cni]
  conf_template = "/etc/containerd/cni.template"
`

// cniTemplate is the network of a node: each pod has a link to it of its own. On a bridge, answers to a pod of the same node
// would not pass the node, which has to give them the address of the Service that was asked.
const cniTemplate = `{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp", "ipMasq": true,
      "ipam": {
        "type": "host-local", "dataDir": "/run/cni-ipam",
        "ranges": [{{range $i, $r := .PodCIDRRanges}}{{if $i}}, {{end}}[{"subnet": "{{$r}}"}]{{end}}],
        "routes": [{{range $i, $r := .Routes}}{{if $i}}, {{end}}{"dst": "{{$r}}"}{{end}}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// storageClass is what kind applies as default storage. Nothing here provisions volumes.
const storageClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: rehearse.dev/none
volumeBindingMode: WaitForFirstConsumer
`

// cniNote is what kind applies as its default network, which must be some object.
const cniNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: pod-network, namespace: kube-system}
data:
  why: Each node's containerd sets its pods' network up by itself; see /etc/containerd/cni.template there.
`

// dnsPatch is how kubeadm changes its CoreDNS: whoever boots a cluster waits until names resolve. It asks the API server of
// its own node, as a connection to a Service's address that is tried before kube-proxy has its rules hangs for half a minute.
// The first probe comes too early, and ten seconds until the next one are a third of a boot. A second replica would be on the
// same node, as there is only one at that time.
const dnsPatch = `spec:
  replicas: 1
  template:
    spec:
      nodeSelector: {node-role.kubernetes.io/control-plane: ""}
      containers:
      - name: coredns
        env:
        - {name: KUBERNETES_SERVICE_HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
        - {name: KUBERNETES_SERVICE_PORT, value: "6443"}
        readinessProbe: {periodSeconds: 1}
`

// nodeFiles are what is laid upon the root file system.
func nodeFiles(p parts, kubernetes string) ([]image.File, error) {
	files, err := kindFiles(filepath.Join(p.kind, "images", "base", "files"))
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		"/kind/version":                                   kubernetes,
		"/kind/manifests/default-storage.yaml":            storageClass,
		"/kind/manifests/default-cni.yaml":                cniNote,
		"/kind/containerd-extra.toml":                     containerdExtra,
		"/etc/containerd/cni.template":                    cniTemplate,
		PatchFolder + "/corednsdeployment+strategic.yaml": dnsPatch,
	} {
		files = append(files, image.File{Path: name, Content: []byte(content), Mode: 0o644})
	}
	files = append(files, image.File{Path: "/usr/bin/kube", Source: filepath.Join(p.kube, "kube")})
	for _, name := range []string{"kubelet", "kubeadm", "kubectl"} {
		files = append(files, image.File{Path: "/usr/bin/" + name, Link: "kube"})
	}
	entries, err := os.ReadDir(p.programs)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if to := programFolder(e.Name()); to != "" {
			files = append(files, image.File{Path: to + e.Name(), Source: filepath.Join(p.programs, e.Name())})
		}
	}
	return files, nil
}

// pauseProgram is the binary that the pause image is made of, named after its module.
const pauseProgram = "node"

// programFolder is where a program belongs in a node: containerd's where kind looks for them, all else are CNI plugins.
func programFolder(name string) string {
	switch {
	case name == pauseProgram:
		return ""
	case strings.HasPrefix(name, "containerd"), name == "ctr":
		return "/usr/local/bin/"
	}
	return "/opt/cni/bin/"
}

// kindFiles are kind's own files, with the rights that its images/base/Dockerfile gives them.
func kindFiles(dir string) ([]image.File, error) {
	var files []image.File
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		to := path.Join("/", filepath.ToSlash(rel))
		mode := fs.FileMode(0o644)
		if within := path.Dir(to); within == "/usr/local/bin" || within == "/kind/bin" {
			mode = 0o755
		}
		files = append(files, image.File{Path: to, Source: file, Mode: mode})
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("kind's module holds no files of a node")
	}
	return files, err
}

func mkdirAll(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("%w (set %s to a folder that can be written)", err, cachedir.Env)
	}
	return nil
}

func hashFile(name string) (key string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
