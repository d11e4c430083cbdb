package hometest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/eventually"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// killedLabel of a scenario is the phase of its fault in which the run is killed, if that is not the one in which a fault
// has taken effect.
const killedLabel = "killedWhen"

// KillingName is the cluster on which runs are killed.
const KillingName = "rehearse-killing"

// Killing is a kept cluster of three nodes on which runs are killed.
type Killing struct {
	*Home
	kubeconfig string
	settling   time.Duration
	// before is what was on the cluster when it was whole.
	before map[string]map[string]any
}

// NewKilling boots the cluster, with flags of cluster up, and takes it down at the end of the test. It may take the time
// settling to be as it was once a fault is undone: kubelets and controllers follow, and system pods are not ready for a
// while after an outage.
func NewKilling(h *Home, settling time.Duration, flags ...string) *Killing {
	h.T.Helper()
	kubeconfig := h.Up(append([]string{"--name", KillingName, "--nodes", "3"}, flags...)...)
	h.T.Cleanup(func() { h.Want(0, "cluster", "down", KillingName) })
	h.Want(0, "run", h.Note("first", ""), "--cluster", KillingName) // readies the cluster for runs, which stays so
	k := &Killing{Home: h, settling: settling, kubeconfig: kubeconfig}
	k.before = k.settled(h.T)
	return k
}

// settled is what the cluster holds once every pod and every node on it is ready.
func (k *Killing) settled(t *testing.T) (all map[string]map[string]any) {
	t.Helper()
	k.eventually(t, func() string {
		all = standing(t, k.kubeconfig)
		return strings.Join(unready(all), ", ")
	})
	return all
}

// eventually fails the test with what is wrong if something still is after the time for settling.
func (k *Killing) eventually(t *testing.T, wrong func() string) {
	t.Helper()
	what := ""
	if !eventually.Within(k.settling, func() bool { what = wrong(); return what == "" }) {
		t.Errorf("the cluster is not as it should be after %s:\n%s", k.settling, what)
	}
}

// unready are the pods and nodes that are not ready.
func unready(all map[string]map[string]any) []string {
	var names []string
	for name, o := range all {
		states, _ := o["status"].(map[string]any)
		if (o["kind"] == "Pod" || o["kind"] == "Node") && states["Ready"] != "True" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Mended demands that rehearse gc puts the cluster back as it was.
func (k *Killing) Mended(t *testing.T) {
	t.Helper()
	k.In(t).Want(0, "gc")
	after := k.before
	k.eventually(t, func() string {
		after = standing(t, k.kubeconfig)
		return gocmp.Diff(k.before, after)
	})
	k.before = after // so that the next kind is not blamed
	for _, r := range k.Records() {
		if r.Kind != journal.KindCluster {
			t.Errorf("left in the journal: %s %s %v", r.Kind, r.ID, r.Data)
		}
	}
}

// ByReach lists the kinds of faults that stay within a namespace, and those that have to be alone on a cluster.
func ByReach(t *testing.T) (narrow, wide []string) {
	t.Helper()
	for _, name := range fault.Registry().Names() {
		entry, err := fault.Registry().Lookup(name)
		switch {
		case err != nil:
			t.Fatal(err)
		case entry.Code.Wide:
			wide = append(wide, name)
		default:
			narrow = append(narrow, name)
		}
	}
	return narrow, wide
}

// KillDuring runs the scenario of a kind of fault, which is in a folder, on the cluster, and kills the program while that
// fault is active.
func (k *Killing) KillDuring(t *testing.T, folder, kind string) {
	t.Helper()
	h := k.In(t)
	path, err := filepath.Abs(filepath.Join(folder, kind+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := scenario.Load([]string{path}, runner.Catalog())
	if err != nil {
		t.Fatalf("every kind of fault needs a scenario during which the harness is killed: %v", err)
	}
	faults := files[0].Scenario.Spec.Faults
	if i := slices.IndexFunc(faults, func(f v1alpha1.Fault) bool { return f.Do.Kind == kind }); i < 0 {
		t.Fatalf("%s has no fault of its kind", path)
	}
	phase := evidence.FaultPhase(cmp.Or(files[0].Scenario.Metadata.Labels[killedLabel], string(evidence.FaultPropagated)))
	reports := t.TempDir()
	p := h.Start("run", path, "--cluster", KillingName, "--reports", reports)
	p.meets(reports, kind, phase)
	p.Signal(syscall.SIGKILL)
	if got := p.Wait(); got.Code != -1 {
		t.Errorf("it had ended before it was killed: exit code %d\n%s", got.Code, got.Stderr)
	}
	for _, r := range h.Records() {
		if r.Kind == "fault" && r.Owner.PID == p.Cmd.Process.Pid && r.Data["kind"] == kind {
			return
		}
	}
	t.Errorf("the journal holds nothing of the fault: %v", h.Records())
}

// meets waits until the timeline of a run says that a fault of a kind has reached a phase.
func (p *Program) meets(reports, kind string, phase evidence.FaultPhase) {
	p.t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		for _, f := range faultEvents(p.t, reports) {
			if f.Kind == kind && f.Phase == phase {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-p.Ended:
			p.t.Fatalf("it ended, and no fault of kind %s was %s:\n%s", kind, phase, p.Wait().Stderr)
		case <-timeout.C:
			p.t.Fatalf("no fault of kind %s was %s within %s", kind, phase, Patience)
		}
	}
}

// faultEvents are those of faults in the timelines of a run that goes on.
func faultEvents(t *testing.T, reports string) []evidence.Fault {
	t.Helper()
	var all []evidence.Fault
	files, err := filepath.Glob(filepath.Join(reports, "*", "*", evidence.TimelineFile))
	for _, file := range files {
		data, readErr := os.ReadFile(file)
		err = errors.Join(err, readErr)
		whole := data[:bytes.LastIndexByte(data, '\n')+1] // the last line may still be written
		for line := range bytes.Lines(whole) {
			var e evidence.Event
			err = errors.Join(err, json.Unmarshal(line, &e))
			if e.Fault != nil {
				all = append(all, *e.Fault)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// restless are kinds that change in a cluster to which nothing is done, or that say how it is and not what it is to be.
var restless = []string{"Event", "Lease", "ComponentStatus"}

// standing is all that a cluster holds, by kind and name, without what only says when or how often it was written.
func standing(t *testing.T, kubeconfig string) map[string]map[string]any {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := discoverer.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains(restless, r.Kind) {
				continue
			}
			objects, err := client.Resource(version.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatalf("listing %s: %v", r.Name, err)
			}
			for i := range objects.Items {
				o := &objects.Items[i]
				all[strings.Join([]string{version.Group, o.GetKind(), o.GetNamespace(), o.GetName()}, "/")] = still(o)
			}
		}
	}
	return all
}

// still takes out of an object what changes when it is only touched. Of its status the conditions stay.
func still(o *unstructured.Unstructured) map[string]any {
	for _, field := range []string{"resourceVersion", "managedFields", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", corev1.EndpointsLastChangeTriggerTime)
	if len(o.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	states := map[string]any{}
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok {
			states[c["type"].(string)] = c["status"]
		}
	}
	o.Object["status"] = states
	return o.Object
}
