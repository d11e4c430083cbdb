// Package v1alpha1 holds the YAML types of rehearse.dev/v1alpha1.
//
// The `doc` tag of a field is its one description: the JSON schema, `rehearse explain` and the reference are made
// from it. Further tags: `required:"true"`, `enum:"a,b"`, `default:"x"`, `min:"1"` (a number or a duration; a duration
// without it must be positive), `maxLength:"40"`, `format:"ref|path|name|step|actor|fault|regexp|issue"` (a list's is its
// items'), `shorthand:"true"` (the field that a bare scalar fills), `bare:"true"` (texts may be written as bare numbers
// and booleans), `only:"install,upgrade"` (the registry entries that know the field), and
// `registry:"operation|actor|fault|assertion"` on a Choice.
package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The group, version and kind that every scenario file states.
const (
	Group      = "rehearse.dev"
	Version    = "v1alpha1"
	APIVersion = Group + "/" + Version
	Kind       = "Scenario"
)

// Scenario is one file: what to install, what to do to it, and what must hold afterwards.
type Scenario struct {
	APIVersion string   `json:"apiVersion" required:"true" enum:"rehearse.dev/v1alpha1" doc:"The version of this format."`
	Kind       string   `json:"kind" required:"true" enum:"Scenario" doc:"Always Scenario."`
	Metadata   Metadata `json:"metadata" required:"true" doc:"The scenario's name and labels."`
	Spec       Spec     `json:"spec" required:"true" doc:"What is rehearsed."`
}

// Metadata names a scenario.
type Metadata struct {
	Name   string            `json:"name" required:"true" format:"name" maxLength:"40" doc:"Unique among the scenarios of a run; a DNS label of at most 40 characters."`
	Labels map[string]string `json:"labels,omitempty" doc:"Labels that rehearse run --label selects by."`
}

// Spec is the body of a scenario.
type Spec struct {
	Description string              `json:"description" required:"true" doc:"One sentence: what this scenario rehearses."`
	Seed        int64               `json:"seed,omitempty" default:"1" min:"1" doc:"Seed of everything random in the run; --seed overrides it."`
	KnownIssue  *KnownIssue         `json:"knownIssue,omitempty" doc:"The known defect that this scenario states; a failed verdict then says that it may have been fixed."`
	TrackRecord *TrackRecord        `json:"trackRecord,omitempty" doc:"The pitfall that this scenario is on record for; rehearse track-record makes a table of them."`
	Cluster     Cluster             `json:"cluster,omitempty" doc:"The cluster it runs on."`
	Release     Release             `json:"release" required:"true" doc:"The Helm release under rehearsal."`
	Matrix      map[string][]string `json:"matrix,omitempty" bare:"true" doc:"Release options with several values each; every combination is a variant of its own."`
	Timeouts    Timeouts            `json:"timeouts,omitempty" doc:"Deadlines."`
	Readiness   []ReadinessRule     `json:"readiness,omitempty" doc:"Which workload's pods become ready when. A workload without a rule becomes ready at once."`
	Actors      []Actor             `json:"actors,omitempty" doc:"Co-owners that write to the cluster beside Helm; a step of operation act sets one off."`
	Faults      []Fault             `json:"faults,omitempty" doc:"What breaks on purpose; steps say when."`
	Steps       []Step              `json:"steps" required:"true" doc:"The operations, in order. The first one with an outcome other than the expected ends the run."`
	Finally     []Step              `json:"finally,omitempty" doc:"Operations that run after the steps, whatever became of them."`
	Assert      []Assertion         `json:"assert,omitempty" doc:"What must hold, judged from the evidence once the run is over."`
}

// KnownIssue links a scenario to the defect whose present behaviour it states.
type KnownIssue struct {
	Issue   string `json:"issue" required:"true" shorthand:"true" format:"issue" doc:"The issue, as owner/repository#number."`
	Summary string `json:"summary,omitempty" doc:"What goes wrong, in one sentence."`
}

// TrackRecord is what a scenario shows of a pitfall: a row of the track record. The pitfall's number is the scenario's
// label pitfall.
type TrackRecord struct {
	Defect string `json:"defect" required:"true" doc:"What goes wrong, in a few words."`
	Issue  string `json:"issue,omitempty" format:"issue" doc:"The issue, as owner/repository#number; that of knownIssue if empty."`
	Shows  bool   `json:"shows" required:"true" doc:"Whether the scenario passes because the defect shows, or because it does not."`
}

// Cluster says which kind of cluster a scenario needs.
type Cluster struct {
	Provider  string            `json:"provider,omitempty" enum:"embedded,kind" default:"embedded" doc:"Who makes the cluster; rehearse run --provider overrides it. More: rehearse explain provider."`
	Nodes     int               `json:"nodes,omitempty" min:"1" doc:"How many nodes; if empty, as many as the kind configuration lists, or else 3."`
	Isolation string            `json:"isolation,omitempty" enum:"auto,namespace,cluster" default:"auto" doc:"namespace shares a cluster with other scenarios; cluster has one of its own; auto takes cluster if the chart renders cluster-scoped objects."`
	NotOn     map[string]string `json:"notOn,omitempty" doc:"Providers on which it is skipped, each with the reason. A scenario is for every provider unless it says otherwise."`
	Kind      *KindCluster      `json:"kind,omitempty" doc:"Settings for provider kind; other providers ignore them."`
}

// Release is the Helm release under rehearsal and the defaults of every operation on it.
type Release struct {
	Name         string         `json:"name" required:"true" format:"name" maxLength:"53" doc:"The release's name; a DNS label of at most 53 characters."`
	Chart        string         `json:"chart" required:"true" doc:"A chart folder or archive (relative to the scenario file), an oci:// reference, or a chart name with repo."`
	Version      string         `json:"version,omitempty" doc:"The chart version, for a repo or OCI reference."`
	Repo         string         `json:"repo,omitempty" doc:"URL of the chart repository that holds chart."`
	Driver       string         `json:"driver,omitempty" enum:"sdk,cli" default:"sdk" doc:"How Helm is run: sdk calls it in-process, cli runs the helm command as a child process. rehearse run --driver overrides it."`
	Helm         *Helm          `json:"helm,omitempty" doc:"Which helm command driver cli runs, unless options or a step say otherwise; this program's own Helm if empty."`
	FieldManager string         `json:"fieldManager,omitempty" default:"helm" maxLength:"128" doc:"The field manager Helm writes under."`
	Values       map[string]any `json:"values,omitempty" doc:"Chart values of every install and upgrade, below the step's own."`
	ValueFiles   []string       `json:"valueFiles,omitempty" doc:"Value files of every install and upgrade, relative to the scenario file."`
	Options      Options        `json:"options,omitempty" doc:"Defaults of every operation."`
}

// Options are the settings that operations on a release share. Nil or empty means: the matrix's, then the release's, then the default.
type Options struct {
	ServerSide     string           `json:"serverSide,omitempty" enum:"auto,true,false" default:"auto" only:"install,upgrade,rollback" doc:"Server-side apply. auto: on for an install, else as the last revision (upgrade) or the target revision (rollback) was applied."`
	ForceConflicts *bool            `json:"forceConflicts,omitempty" only:"install,upgrade,rollback" doc:"Take fields that conflict from their managers (server-side apply only)."`
	ForceReplace   *bool            `json:"forceReplace,omitempty" only:"install,upgrade,rollback" doc:"Replace objects instead of patching them (client-side apply only)."`
	Wait           string           `json:"wait,omitempty" enum:"watcher,legacy,hookOnly" default:"watcher" doc:"Helm's wait strategy. The helm CLI's default is hookOnly; a rehearsal waits unless told otherwise."`
	WaitForJobs    *bool            `json:"waitForJobs,omitempty" only:"install,upgrade,rollback" doc:"Wait for Jobs to complete too."`
	Timeout        *metav1.Duration `json:"timeout,omitempty" default:"5m" doc:"Helm's timeout of each wait and each hook; cut to the step's deadline."`
	DisableHooks   *bool            `json:"disableHooks,omitempty" doc:"Run no hooks."`
	TakeOwnership  *bool            `json:"takeOwnership,omitempty" only:"install,upgrade" doc:"Adopt objects that belong to no release or to another."`
	CleanupOnFail  *bool            `json:"cleanupOnFail,omitempty" only:"upgrade,rollback" doc:"Delete objects that a failed upgrade or rollback created."`
	MaxHistory     *int             `json:"maxHistory,omitempty" default:"10" min:"0" only:"upgrade,rollback" doc:"Revisions kept; 0 keeps all."`
	FieldManager   string           `json:"fieldManager,omitempty" maxLength:"128" only:"install,upgrade,rollback" doc:"The field manager Helm writes under; release.fieldManager if empty."`
	Helm           *Helm            `json:"helm,omitempty" doc:"Which helm command runs it, with driver cli only; release.helm if empty."`
}

// Helm names a helm command.
type Helm struct {
	Version string `json:"version,omitempty" shorthand:"true" maxLength:"40" doc:"A released version, of Helm 3 or 4, such as 4.2.0. It is built by the Go toolchain when it is first needed, and kept in the user's cache."`
	Path    string `json:"path,omitempty" doc:"A helm binary, relative to the scenario file."`
}

// Timeouts are deadlines of the run.
type Timeouts struct {
	Step    *metav1.Duration `json:"step,omitempty" default:"1m" doc:"Deadline of a step that states none."`
	Cleanup *metav1.Duration `json:"cleanup,omitempty" default:"30s" doc:"Deadline of removing what the scenario made."`
}

// ReadinessRule says when the pods of one workload become ready, without touching the chart's objects.
type ReadinessRule struct {
	Workload    string           `json:"workload" required:"true" format:"ref" doc:"The workload, as Kind/name: a Deployment, StatefulSet, DaemonSet, Job or Pod."`
	Steps       []string         `json:"steps,omitempty" format:"step" doc:"Holds for pods created during these steps only; empty: always. Of several rules for a workload the first that fits holds."`
	RequireHeld *bool            `json:"requireHeld,omitempty" default:"true" doc:"A rule that held for no pod makes the verdict inconclusive."`
	Delay       *metav1.Duration `json:"delay,omitempty" min:"0s" doc:"A pod becomes ready this long after its creation."`
	Jitter      *metav1.Duration `json:"jitter,omitempty" min:"0s" doc:"Adds up to this much to the delay, drawn from the seed."`
	Never       bool             `json:"never,omitempty" doc:"A pod never becomes ready."`
	Flap        *Flap            `json:"flap,omitempty" doc:"A pod is ready and not ready by turns."`
	Fail        bool             `json:"fail,omitempty" doc:"A pod fails: a Job's pod ends Failed, any other one's container crash-loops."`
}

// HoldsIn tells whether the rule holds for pods that are made during a step.
func (r ReadinessRule) HoldsIn(step string) bool {
	return len(r.Steps) == 0 || slices.Contains(r.Steps, step)
}

// RuleFor is the rule, by its index, that holds for the pods made during a step of the workload that is tells of: the first
// that fits; -1 if none does.
func RuleFor(rules []ReadinessRule, step string, is func(workload string) bool) int {
	return slices.IndexFunc(rules, func(r ReadinessRule) bool { return is(r.Workload) && r.HoldsIn(step) })
}

// Flap is a pod's alternation between ready and not ready.
type Flap struct {
	Ready    metav1.Duration `json:"ready" required:"true" doc:"How long it is ready, from when it is seen to be."`
	NotReady metav1.Duration `json:"notReady" required:"true" doc:"How long it is not ready, from when it is seen not to be."`
	Times    int             `json:"times,omitempty" min:"0" doc:"How often it becomes not ready; it stays ready after that. 0 means without end."`
}

// Actor is a co-owner that writes beside Helm.
type Actor struct {
	Name    string           `json:"name" required:"true" format:"name" doc:"Unique among the actors of a scenario."`
	Manager string           `json:"manager,omitempty" maxLength:"128" doc:"The field manager it writes under; its name if empty."`
	Every   *metav1.Duration `json:"every,omitempty" doc:"Writes again at this interval until stopped or the scenario ends; once if empty."`
	Do      Choice           `json:",inline" registry:"actor" doc:"What it does."`
}

// Step is one operation and the outcome it must have.
type Step struct {
	Name    string           `json:"name" required:"true" format:"name" doc:"Unique among the steps; assertions refer to it."`
	Timeout *metav1.Duration `json:"timeout,omitempty" doc:"Deadline; timeouts.step if empty."`
	Expect  *Expect          `json:"expect,omitempty" doc:"The outcome it must have; success if empty."`
	During  []string         `json:"during,omitempty" format:"fault" doc:"Faults that are injected, and seen to have taken effect, before its operation begins. They recover after it, unless the next step names them too."`
	Do      Choice           `json:",inline" registry:"operation" doc:"The operation."`
}

// Expect is the outcome that a step must have.
type Expect struct {
	Any      bool         `json:"any,omitempty" doc:"It may succeed or fail: what it leaves behind is for the assertions to judge."`
	Error    *ExpectError `json:"error,omitempty" doc:"It must fail with this error; empty: it must succeed."`
	Status   string       `json:"status,omitempty" enum:"unknown,deployed,uninstalled,superseded,failed,uninstalling,pending-install,pending-upgrade,pending-rollback" doc:"The status that Helm's storage must hold for the newest revision afterwards."`
	Revision int          `json:"revision,omitempty" min:"1" doc:"The number that the newest revision in Helm's storage must have afterwards."`
}

// ExpectError describes an error. Of several fields all must fit.
type ExpectError struct {
	Contains string `json:"contains,omitempty" shorthand:"true" doc:"Text that the error must contain."`
	Matches  string `json:"matches,omitempty" format:"regexp" doc:"Regular expression (RE2) that must match the error."`
}

// Choice is one entry of a registry: in the file its name is a key of the surrounding object, and its spec the value.
type Choice struct {
	// Kind is the entry's name, for example "rollback".
	Kind string `json:"-"`
	// Spec points to the entry's spec type, for example *Rollback.
	Spec any `json:"-"`
}

// Assertion is one thing that must hold.
type Assertion struct {
	Name       string      `json:"name,omitempty" doc:"Shown in reports; made from the assertion and its target if empty."`
	KnownIssue *KnownIssue `json:"knownIssue,omitempty" doc:"The known defect whose present behaviour this assertion states."`
	Do         Choice      `json:",inline" registry:"assertion" doc:"The assertion."`
}
