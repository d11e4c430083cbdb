package main

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// killedLabel of a scenario in testdata/killed is the phase of its fault in which the run is killed, if that is not the
// one in which a fault has taken effect.
const killedLabel = "killedWhen"

// TestKilledWhileFaultActive: of every kind of fault there is a scenario, testdata/killed/<kind>.yaml, during which the
// harness is killed on a cluster that outlives it. What was journaled before the fault was injected is enough for
// rehearse gc to put the cluster back as it was.
func TestKilledWhileFaultActive(t *testing.T) {
	t.Parallel()
	narrow, wide := byReach(t)
	t.Run("within namespaces", func(t *testing.T) {
		t.Parallel()
		k := newKilling(t)
		t.Run("all", func(t *testing.T) { // returns once all have
			for _, kind := range narrow {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					k.in(t).killDuring(kind)
				})
			}
		})
		k.mended(t)
	})
	half := len(wide) / 2 // as each waits for most of its time
	for name, kinds := range map[string][]string{"alone, first half": wide[:half], "alone, second half": wide[half:]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKilling(t)
			for _, kind := range kinds {
				t.Run(kind, func(t *testing.T) {
					k.in(t).killDuring(kind)
					k.mended(t)
				})
			}
		})
	}
}

// killing is a kept cluster on which runs are killed.
type killing struct {
	*home
	kubeconfig string
	// before is what was on the cluster when it was whole.
	before map[string]map[string]any
}

func newKilling(t *testing.T) *killing {
	t.Helper()
	h := newHome(t)
	up := h.want(0, "cluster", "up", "--nodes", "3")
	t.Cleanup(func() { h.want(0, "cluster", "down") })
	h.want(0, "run", h.note("first", ""), "--cluster", "rehearse") // readies the cluster for runs, which stays so
	k := &killing{home: h, kubeconfig: strings.TrimPrefix(strings.TrimSpace(up.stdout), "export KUBECONFIG=")}
	k.before = standing(t, k.kubeconfig)
	return k
}

// mended demands that rehearse gc puts the cluster back as it was.
func (k *killing) mended(t *testing.T) {
	t.Helper()
	k.in(t).want(0, "gc")
	after := standing(t, k.kubeconfig)
	if diff := gocmp.Diff(k.before, after); diff != "" {
		t.Errorf("the cluster is not as it was (-before +after):\n%s", diff)
	}
	k.before = after // so that the next kind is not blamed
	for _, r := range k.records() {
		if r.Kind != "cluster" {
			t.Errorf("left in the journal: %s %s %v", r.Kind, r.ID, r.Data)
		}
	}
}

// byReach lists the kinds of faults that stay within a namespace, and those that have to be alone on a cluster.
func byReach(t *testing.T) (narrow, wide []string) {
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

// killDuring runs the scenario of a kind of fault and kills the program while the fault is active.
func (h *home) killDuring(kind string) {
	h.t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "killed", kind+".yaml"))
	if err != nil {
		h.t.Fatal(err)
	}
	files, err := scenario.Load([]string{path}, runner.Catalog())
	if err != nil {
		h.t.Fatalf("every kind of fault needs a scenario during which the harness is killed: %v", err)
	}
	faults := files[0].Scenario.Spec.Faults
	if i := slices.IndexFunc(faults, func(f v1alpha1.Fault) bool { return f.Do.Kind == kind }); i < 0 {
		h.t.Fatalf("%s has no fault of its kind", path)
	}
	phase := evidence.FaultPhase(cmp.Or(files[0].Scenario.Metadata.Labels[killedLabel], string(evidence.FaultPropagated)))
	reports := h.t.TempDir()
	p := h.start("run", path, "--cluster", "rehearse", "--reports", reports)
	p.meets(reports, kind, phase)
	p.signal(syscall.SIGKILL)
	if got := p.wait(); got.code != -1 {
		h.t.Errorf("it had ended before it was killed: exit code %d\n%s", got.code, got.stderr)
	}
	for _, r := range h.records() {
		if r.Kind == "fault" && r.Owner.PID == p.cmd.Process.Pid && r.Data["kind"] == kind {
			return
		}
	}
	h.t.Errorf("the journal holds nothing of the fault: %v", h.records())
}

// meets waits until the timeline of a run says that a fault of a kind has reached a phase.
func (p *program) meets(reports, kind string, phase evidence.FaultPhase) {
	p.t.Helper()
	timeout := time.NewTimer(patience)
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
		case <-p.ended:
			p.t.Fatalf("it ended, and no fault of kind %s was %s:\n%s", kind, phase, p.wait().stderr)
		case <-timeout.C:
			p.t.Fatalf("no fault of kind %s was %s within %s", kind, phase, patience)
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
