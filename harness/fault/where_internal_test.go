package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientfake "k8s.io/client-go/kubernetes/fake"

	"rehearse.dev/rehearse/harness/cluster"
)

// TestNeedsAreWhatAvailableLooksFor: on a cluster that can nothing beyond its API, just those kinds are unsupported that say
// they stand on something.
func TestNeedsAreWhatAvailableLooksFor(t *testing.T) {
	t.Parallel()
	client := clientfake.NewClientset()
	client.Resources = []*metav1.APIResourceList{{GroupVersion: "admissionregistration.k8s.io/v1"}}
	site := Site{Cluster: plain{}, Client: client, Namespace: "ns", Helm: &fakeHelm{unsupported: true}, Path: &fakePath{}}
	for _, name := range Registry().Names() {
		entry, err := Registry().Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := entry.Code.prepare(entry.NewSpec())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		demands := false
		if d, ok := b.(demanding); ok {
			demands = len(d.needs()) > 0
		}
		err = b.available(t.Context(), site)
		if errors.Is(err, cluster.ErrUnsupported) != demands || err != nil && !demands {
			t.Errorf("%s: it says that it needs something: %t; on a cluster that can nothing it is available with %v", name, demands, err)
		}
	}
}

// capable is a cluster that can all there is.
type capable struct {
	cluster.Cluster
	nodes
	plane
	reach
}

// What a cluster can, without what every cluster can.
type (
	nodes interface {
		PauseNode(ctx context.Context, node string) error
		ResumeNode(ctx context.Context, node string) error
		KillNode(ctx context.Context, node string) error
		StartNode(ctx context.Context, node string) error
		CrashContainer(ctx context.Context, c cluster.ContainerRef) error
	}
	plane interface {
		PauseAPIServer(ctx context.Context) error
		ResumeAPIServer(ctx context.Context) error
		KillAPIServer(ctx context.Context) error
		StartAPIServer(ctx context.Context) error
		PauseEtcd(ctx context.Context) error
		ResumeEtcd(ctx context.Context) error
	}
	reach interface {
		HarnessAddress(ctx context.Context) (string, error)
	}
)

// TestWhere says where a fault can be had.
func TestWhere(t *testing.T) {
	t.Parallel()
	lacks := func(controller string) error {
		return fmt.Errorf("%w: there is no %s", cluster.ErrUnsupported, controller)
	}
	for kind, want := range map[string][2]string{
		"deletePod":       {"yes", "yes"},
		"crashContainer":  {"no: nodes and containers of its clusters cannot be broken from outside", "yes"},
		"killAPIServer":   {"no: the control plane of its clusters cannot be broken from outside", "yes"},
		"webhook":         {"no: nothing says how the API server reaches this machine", "yes, where the API server can reach a port of this machine"},
		"signalHelm":      {"yes, where Helm is a process of its own (driver cli)", "yes, where Helm is a process of its own (driver cli)"},
		"unpullableImage": {"yes, where the cluster serves MutatingAdmissionPolicy v1", "yes, where the cluster serves MutatingAdmissionPolicy v1"},
		"taintNode":       {"yes, but not with effect NoExecute: there is no taint-eviction-controller", "yes"},
	} {
		lines, err := Where(kind, []Place{{"bare", plain{}, lacks}, {"full", capable{}, nil}})
		if err != nil || len(lines) != 2 {
			t.Fatalf("%s: %q, %v", kind, lines, err)
		}
		for i, name := range []string{"bare", "full"} {
			said, ok := strings.CutPrefix(lines[i], name)
			if said = strings.TrimSpace(said); !ok || !strings.HasPrefix(said, want[i]) || want[i] == "yes" && said != "yes" {
				t.Errorf("%s: %q, want %s: %q", kind, lines[i], name, want[i])
			}
		}
	}
	if _, err := Where("deletPod", nil); err == nil || !strings.Contains(err.Error(), "deletePod") {
		t.Errorf("a kind that is none: %v", err)
	}
}
