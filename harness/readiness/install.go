package readiness

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// ErrUnsupported says that the cluster has no MutatingAdmissionPolicy of version v1, so that readiness cannot be held
// back there. Kubernetes 1.36 and later have it.
var ErrUnsupported = errors.New("the cluster does not serve MutatingAdmissionPolicy v1 (Kubernetes 1.36 or later is needed)")

//go:embed policy.yaml
var policyTemplate string

// policyResources are where the policy's documents go, by kind.
var policyResources = map[string]schema.GroupVersionResource{
	"MutatingAdmissionPolicy":        {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingadmissionpolicies"},
	"MutatingAdmissionPolicyBinding": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingadmissionpolicybindings"},
}

// The object and the field through which a dry run learns what the policy sees.
const (
	probeName  = "rehearse-probe"
	probeField = "seen"
	// probeEvery is short, because a step waits for it. There is nothing to watch: the API server's admission keeps
	// its own copies of policies and namespaces.
	probeEvery = 10 * time.Millisecond
)

// Install puts the admission policy that holds back readiness into a cluster and returns once it is in effect. It may
// be called again; on a cluster that has the policy it costs one request.
func Install(ctx context.Context, cfg *rest.Config) error {
	cfg = configured(cfg)
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("install the readiness policy: %w", err)
	}
	if seen, err := probe(ctx, client, metav1.NamespaceDefault); err == nil && strings.HasPrefix(seen, policyVersion()) {
		return nil
	}
	if err := applyPolicy(ctx, cfg); err != nil {
		return fmt.Errorf("install the readiness policy: %w", err)
	}
	return inEffect(ctx, client, metav1.NamespaceDefault, func(seen string) bool {
		return strings.HasPrefix(seen, policyVersion())
	})
}

func applyPolicy(ctx context.Context, cfg *rest.Config) error {
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	for doc := range strings.SplitSeq(strings.ReplaceAll(policyTemplate, "$VERSION", policyVersion()), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			return fmt.Errorf("read policy.yaml: %w", err)
		}
		options := metav1.ApplyOptions{FieldManager: manager, Force: true}
		_, err := dyn.Resource(policyResources[u.GetKind()]).Apply(ctx, u.GetName(), u, options)
		if apierrors.IsNotFound(err) {
			return ErrUnsupported
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// policyVersion changes with the policy's text.
func policyVersion() string {
	sum := sha256.Sum256([]byte(policyTemplate))
	return hex.EncodeToString(sum[:6])
}

// probe returns what the policy sees in a namespace; empty if it is not in effect there.
func probe(ctx context.Context, client kubernetes.Interface, namespace string) (string, error) {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: probeName}}
	cm, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, cm, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: manager})
	if err != nil {
		return "", err
	}
	return cm.Data[probeField], nil
}

// inEffect waits until what the policy sees in a namespace satisfies ok.
func inEffect(ctx context.Context, client kubernetes.Interface, namespace string, ok func(seen string) bool) error {
	var last string
	err := wait.PollUntilContextCancel(ctx, probeEvery, true, func(ctx context.Context) (bool, error) {
		seen, err := probe(ctx, client, namespace)
		last = seen
		return err == nil && ok(seen), err
	})
	if err != nil {
		return fmt.Errorf("await the readiness policy's effect in namespace %s (it sees %q): %w", namespace, last, err)
	}
	return nil
}

// configured names the harness as the writer.
func configured(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = manager
	cfg.QPS = -1
	return cfg
}
