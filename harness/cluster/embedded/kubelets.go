package embedded

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/log"
)

// kubeletAgent is the user agent of the simulated kubelets: the API server makes it the field manager of what they write.
const kubeletAgent = "kubelet"

// startKubelets simulates the kubelets of all nodes until ctx ends.
func startKubelets(ctx context.Context, client kubernetes.Interface, logFile *os.File) error {
	stages, err := loadStages()
	if err != nil {
		return fmt.Errorf("simulated kubelets: %w", err)
	}
	controller, err := controllers.NewController(controllers.Config{
		TypedClient:                  kubeletClient{client},
		ManageNodesWithLabelSelector: "!" + haltedLabel,
		CIDR:                         podCIDR(0),
		NodeIP:                       "127.0.0.1",
		LocalStages:                  stages,
		FuncMap:                      stageFuncs(),
		NodePlayStageParallelism:     4,
		PodPlayStageParallelism:      8,
		PodsOnNodeSyncParallelism:    1,
		ID:                           kubeletAgent,
	})
	if err != nil {
		return fmt.Errorf("simulated kubelets: %w", err)
	}
	if err := controller.Start(log.NewContext(ctx, log.NewLogger(logFile, log.LevelInfo))); err != nil {
		return fmt.Errorf("simulated kubelets: %w", err)
	}
	return nil
}

// kubeletConfig is a client configuration for the simulated kubelets.
func kubeletConfig(admin *rest.Config) *rest.Config {
	config := rest.CopyConfig(admin)
	config.UserAgent = kubeletAgent
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return config
}

// nodeName is the name of the i-th node, from 1.
func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// maxNodes is how many nodes have a range of pod addresses of their own.
const maxNodes = 100

func podCIDR(node int) string { return fmt.Sprintf("10.%d.0.0/16", 128+node) }

// createNode registers a node with the i-th addresses; the simulated kubelets make it Ready.
func createNode(ctx context.Context, client kubernetes.Interface, name string, i int, version string) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:   name,
				corev1.LabelOSStable:   "linux",
				corev1.LabelArchStable: "amd64",
			},
		},
		Spec: corev1.NodeSpec{PodCIDR: podCIDR(i), PodCIDRs: []string{podCIDR(i)}},
		Status: corev1.NodeStatus{
			NodeInfo:  corev1.NodeSystemInfo{KubeletVersion: version},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.127.0.%d", i)}, {Type: corev1.NodeHostName, Address: name}},
		},
	}
	_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{FieldManager: kubeletAgent})
	if err != nil {
		return fmt.Errorf("register node %s: %w", name, err)
	}
	return nil
}

// The types below narrow what KWOK does when it deletes a pod: it knows no more than the name, and by the time it acts
// a StatefulSet may have made a new pod of that name.

type kubeletClient struct{ kubernetes.Interface }

func (c kubeletClient) CoreV1() typedcorev1.CoreV1Interface {
	return kubeletCore{c.Interface.CoreV1()}
}

type kubeletCore struct{ typedcorev1.CoreV1Interface }

func (c kubeletCore) Pods(namespace string) typedcorev1.PodInterface {
	return kubeletPods{c.CoreV1Interface.Pods(namespace)}
}

type kubeletPods struct{ typedcorev1.PodInterface }

// Delete deletes the pod only if it is being deleted already.
func (c kubeletPods) Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error {
	pod, err := c.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || (err == nil && pod.DeletionTimestamp == nil) {
		return nil
	}
	if err != nil {
		return err
	}
	opts.Preconditions = metav1.NewUIDPreconditions(string(pod.UID))
	return c.PodInterface.Delete(ctx, name, opts)
}
