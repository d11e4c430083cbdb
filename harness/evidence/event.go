// Package evidence is what a run leaves on disk and what verdicts are judged from: a timeline on one monotonic clock,
// every object version seen, every request of Helm, and a snapshot at the end of every step. It imports nothing of ours.
package evidence

import (
	"encoding/json"
	"time"
)

// Event is one line of timeline.jsonl. Exactly one of the payload fields is set.
type Event struct {
	// Seq numbers the events of a bundle from 1 in the order they were recorded.
	Seq int64 `json:"seq"`
	// At is the monotonic time since the variant started, in nanoseconds.
	At time.Duration `json:"atNs"`
	// Step is the step that was under way; empty before the first and after the last.
	Step string `json:"step,omitempty"`

	Phase      *Phase         `json:"phase,omitempty"`
	Started    *StepStarted   `json:"started,omitempty"`
	Finished   *StepFinished  `json:"finished,omitempty"`
	Object     *ObjectVersion `json:"object,omitempty"`
	Transition *Transition    `json:"transition,omitempty"`
	KubeEvent  *KubeEvent     `json:"kubeEvent,omitempty"`
	Write      *ActorWrite    `json:"write,omitempty"`
	Readiness  *Readiness     `json:"readiness,omitempty"`
	Fault      *Fault         `json:"fault,omitempty"`
	Request    *Request       `json:"request,omitempty"`
	Restart    *Restart       `json:"restart,omitempty"`
	Gap        *Gap           `json:"gap,omitempty"`
	Lack       *Lack          `json:"lack,omitempty"`
}

// Lack is something beside faults that the scenario needs and this cluster cannot have.
type Lack struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// Phase is a part of the run that is no step: cluster, namespace, chart, cleanup.
type Phase struct {
	Name string        `json:"name"`
	Took time.Duration `json:"tookNs"`
}

// StepStarted marks the start of a step.
type StepStarted struct {
	Operation string `json:"operation"`
}

// StepFinished marks the end of a step: what the operation returned and what had been expected.
type StepFinished struct {
	Operation string        `json:"operation"`
	Took      time.Duration `json:"tookNs"`
	// Error is what the operation returned; empty on success.
	Error string `json:"error,omitempty"`
	// Mismatch says how the outcome differs from the step's expect or, if Errored, what failed of the harness; empty if
	// the step came to what it must.
	Mismatch string `json:"mismatch,omitempty"`
	// Errored is set if the harness, not the operation, failed.
	Errored bool `json:"errored,omitempty"`
	// Inconclusive is set if Mismatch says nothing of the operation, because a fault that was to be active was not.
	Inconclusive bool `json:"inconclusive,omitempty"`
	// Finally is set for steps of the finally block.
	Finally bool `json:"finally,omitempty"`
}

// Ref names one object. Kind with Group identifies the type; Version is the one it was read at.
type Ref struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// String is Kind/name, as scenarios write it.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// Change says what happened to an object.
type Change string

// The changes.
const (
	Initial  Change = "initial" // it was there when watching began
	Added    Change = "added"
	Modified Change = "modified"
	Deleted  Change = "deleted"
)

// ObjectVersion is one version of an object that a watch delivered. The object itself is the line of objects.jsonl
// with the event's Seq.
type ObjectVersion struct {
	Ref             Ref    `json:"ref"`
	Change          Change `json:"change"`
	ResourceVersion string `json:"resourceVersion"`
	Generation      int64  `json:"generation,omitempty"`
}

// Transition is a change of an object's kstatus. From is NotFound for a new object.
type Transition struct {
	Ref             Ref    `json:"ref"`
	From            string `json:"from"`
	To              string `json:"to"`
	Message         string `json:"message,omitempty"`
	ResourceVersion string `json:"resourceVersion"`
}

// KubeEvent is an Event of the Kubernetes API.
type KubeEvent struct {
	Regarding Ref    `json:"regarding"`
	Type      string `json:"type"`
	Reason    string `json:"reason"`
	Message   string `json:"message,omitempty"`
	Source    string `json:"source,omitempty"`
	Count     int32  `json:"count,omitempty"`
}

// ActorWrite is one write of an actor.
type ActorWrite struct {
	Actor   string `json:"actor"`
	Manager string `json:"manager"`
	Verb    string `json:"verb"`
	Ref     Ref    `json:"ref"`
	Error   string `json:"error,omitempty"`
}

// Readiness is a decision of the readiness controller about one pod.
type Readiness struct {
	Pod      Ref    `json:"pod"`
	Workload string `json:"workload"`
	// Decision is held, released, withdrawn or failed.
	Decision string        `json:"decision"`
	After    time.Duration `json:"afterNs,omitempty"`
}

// FaultPhase is a point in the life of a fault.
type FaultPhase string

// The phases of faults.
const (
	FaultUnavailable  FaultPhase = "unavailable"  // this cluster cannot do it
	FaultInjected     FaultPhase = "injected"     // it begins to be brought about
	FaultFired        FaultPhase = "fired"        // it took effect on its target, for the Firing-th time
	FaultPropagated   FaultPhase = "propagated"   // it was seen to have taken effect
	FaultArmed        FaultPhase = "armed"        // it lies in wait for what it is to take effect on
	FaultRecovered    FaultPhase = "recovered"    // it was ended
	FaultRecoverySeen FaultPhase = "recoverySeen" // it was seen to have ended
	FaultCleanedUp    FaultPhase = "cleanedUp"    // nothing of it is left
	FaultFailed       FaultPhase = "failed"       // Action came to nothing
)

// Fault is a point in the life of a fault.
type Fault struct {
	Name  string     `json:"name"`
	Kind  string     `json:"kind"`
	Phase FaultPhase `json:"phase"`
	// Targets are the objects it is about.
	Targets []Ref `json:"targets,omitempty"`
	// Firing counts, from 1, how often it took effect.
	Firing int `json:"firing,omitempty"`
	// Request is the Number of Helm's request at which it took effect; 0 if it was at none.
	Request int64 `json:"request,omitempty"`
	// Action is what failed: setUp, inject, waitForPropagation, hold, recover, waitForRecovery or cleanUp.
	Action string `json:"action,omitempty"`
	// Detail says more, such as why something failed.
	Detail string `json:"detail,omitempty"`
}

// Restart says that a component of the control plane did not survive an outage that was asked for, and was started again.
// It is recorded at the end of the step in which that was noticed.
type Restart struct {
	Component string `json:"component"`
	// Reason says when and how it had ended.
	Reason string `json:"reason"`
}

// Gap says that evidence may be missing: a watch broke and could not be resumed without loss.
type Gap struct {
	Resource string `json:"resource"`
	Reason   string `json:"reason"`
}

// ObjectLine is one line of objects.jsonl: the object of the timeline's event Seq.
type ObjectLine struct {
	Seq    int64           `json:"seq"`
	Object json.RawMessage `json:"object"`
}

// Snapshot is one line of snapshots.jsonl: the state at the end of a step, read after the operation had returned.
type Snapshot struct {
	Step string        `json:"step"`
	At   time.Duration `json:"atNs"`
	// Objects are the objects of the release's namespace and its cluster-scoped ones, whole, managedFields included.
	Objects []map[string]any `json:"objects"`
	// Ledger is what Helm's storage held.
	Ledger Ledger `json:"ledger"`
	// Incomplete says why something is missing; empty if nothing is.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Ledger is Helm's storage of one release.
type Ledger struct {
	Release   string     `json:"release"`
	Namespace string     `json:"namespace"`
	Revisions []Revision `json:"revisions"`
	// Unreadable names storage records that could not be decoded, with the reason.
	Unreadable map[string]string `json:"unreadable,omitempty"`
}

// Revision is one revision of a release as Helm stored it.
type Revision struct {
	Revision    int       `json:"revision"`
	Status      string    `json:"status"`
	ApplyMethod string    `json:"applyMethod,omitempty"` // ssa, csa; empty for a release of Helm 3
	Description string    `json:"description,omitempty"`
	Chart       string    `json:"chart,omitempty"`
	AppVersion  string    `json:"appVersion,omitempty"`
	Deployed    time.Time `json:"deployed,omitzero"`
	// Manifest holds the objects of the stored manifest, in its order.
	Manifest []map[string]any `json:"manifest,omitempty"`
	Hooks    []Hook           `json:"hooks,omitempty"`
	// StorageBytes is the size of the stored record.
	StorageBytes int `json:"storageBytes,omitempty"`
}

// Hook is a hook of a revision and when it last ran.
type Hook struct {
	Ref       Ref       `json:"ref"`
	Events    []string  `json:"events"`
	Weight    int       `json:"weight,omitempty"`
	Phase     string    `json:"phase,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	Completed time.Time `json:"completed,omitzero"`
}

// Run is run.json: what ran, with what.
type Run struct {
	ID       string            `json:"id"`
	Started  time.Time         `json:"started"`
	Args     []string          `json:"args"`
	Seed     int64             `json:"seed"`
	Versions map[string]string `json:"versions"`
	// Planned lists the variants that were to be run, in their order.
	Planned []Planned `json:"planned"`
	// CleanupErr says what could not be removed at the end; empty if all was, or if a run of an older version did not note it.
	CleanupErr string `json:"cleanupError,omitempty"`
	// Interrupted says that it was.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Planned is one variant that was to be run.
type Planned struct {
	Scenario string `json:"scenario"`
	Variant  string `json:"variant,omitempty"`
	File     string `json:"file"`
	// Dir is its bundle's folder within the run's; it is not there if its turn never came.
	Dir string `json:"dir"`
	// Provider is who was to make its cluster.
	Provider string `json:"provider,omitempty"`
	// NotHere is why the scenario is skipped on that provider; empty if it is not.
	NotHere string `json:"notHere,omitempty"`
}

// Format is the format of bundles that are made now. Those of format 0 do not say at which requests faults fired, those of
// format 1 not of policies, quotas and webhooks.
const Format = 2

// Variant is variant.json: what a bundle is evidence of.
type Variant struct {
	// Format is that of the bundle: Format or, if it was made by an older version, less.
	Format      int               `json:"format,omitempty"`
	Scenario    string            `json:"scenario"`
	Variant     string            `json:"variant,omitempty"`
	Description string            `json:"description,omitempty"`
	File        string            `json:"file"`
	Seed        int64             `json:"seed"`
	Matrix      map[string]string `json:"matrix,omitempty"`
	Release     string            `json:"release"`
	Namespace   string            `json:"namespace"`
	// Also names the objects that were watched as well, wherever they are, as Kind[.group]/[namespace/]name. What carries the
	// release's marks is watched outside of namespaces and in the namespaces that Also mentions.
	Also     []string          `json:"also,omitempty"`
	Started  time.Time         `json:"started"`
	Versions map[string]string `json:"versions,omitempty"`
	// Steps are the names of the planned steps, in order, those of finally last.
	Steps []string `json:"steps"`
	// Lines maps "steps[2]" and "assert[0]" to lines of File.
	Lines map[string]int `json:"lines,omitempty"`
}
