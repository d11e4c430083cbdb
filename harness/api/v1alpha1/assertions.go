package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Ownership states who owns fields, as managedFields of the API server say.
type Ownership struct {
	At        string      `json:"at,omitempty" format:"step" doc:"Judged at the end of this step; the last one if empty."`
	Object    string      `json:"object,omitempty" format:"ref" doc:"The object, as Kind/name; every object of the release if empty."`
	Field     string      `json:"field,omitempty" format:"path" doc:"The field, for example .spec.template.spec.containers[name=app].image; the whole object if empty."`
	Managers  []Manager   `json:"managers,omitempty" doc:"Exactly these own the field or anything below it; a field within an atomic list or map is owned by whoever owns that. With no field: exactly these appear in managedFields."`
	Forbidden []Manager   `json:"forbidden,omitempty" doc:"None of these owns the field or anything below it."`
	SameAs    string      `json:"sameAs,omitempty" format:"step" doc:"Every field has the same managers as at the end of this step: none gained, none lost. The status is compared only if field asks for it."`
	Allow     []Allowance `json:"allow,omitempty" doc:"Differences from sameAs that are accepted."`
}

// Manager describes entries of managedFields. Empty fields fit anything, but Subresource: empty is the main resource where managers are listed exactly.
type Manager struct {
	Name        string `json:"name" required:"true" shorthand:"true" doc:"The field manager; * fits any."`
	Operation   string `json:"operation,omitempty" enum:"Apply,Update" doc:"How it wrote."`
	Subresource string `json:"subresource,omitempty" doc:"The subresource it wrote to, for example scale."`
}

// Allowance is a difference in ownership that is accepted. Empty fields fit anything.
type Allowance struct {
	Object  string `json:"object,omitempty" format:"ref" doc:"The object."`
	Field   string `json:"field,omitempty" format:"path" doc:"The field and all below it."`
	Manager string `json:"manager,omitempty" doc:"The field manager."`
}

// ReadinessOrder states in which order objects became Current within a step.
type ReadinessOrder struct {
	At     string   `json:"at,omitempty" format:"step" doc:"The step; the last one if empty."`
	Chain  []string `json:"chain,omitempty" format:"ref" doc:"Each becomes Current only after those before it have, counted from when the step changed it. One that the step leaves Current and untouched counts from the start."`
	Before []Before `json:"before,omitempty" doc:"Pairs, for orders that are no chain."`
	From   string   `json:"from,omitempty" enum:"dependsOn,hip0025" doc:"Read the order from the annotations in the newest revision's manifest: config.kubernetes.io/depends-on, or Helm's HIP-0025 resource groups."`
}

// Before is one pair of an order.
type Before struct {
	First string `json:"first" required:"true" format:"ref" doc:"Becomes Current first."`
	Then  string `json:"then" required:"true" format:"ref" doc:"Becomes Current after that."`
}

// Ledger states what Helm's storage holds: by default at most one deployed revision, none pending, none unreadable. That a
// revision is there is judged only where it is named, as Helm itself prunes them, and not always the oldest.
type Ledger struct {
	At           string         `json:"at,omitempty" format:"step" doc:"Judged at the end of this step; the last one if empty."`
	Deployed     *int           `json:"deployed,omitempty" min:"0" doc:"The revision that is deployed; 0: none is. If empty, at most one may be, unless statuses says so of each."`
	Statuses     map[int]string `json:"statuses,omitempty" doc:"The status of revisions by number."`
	Descriptions map[int]string `json:"descriptions,omitempty" doc:"Text that the description of revisions, by number, must contain: what helm history shows of them."`
	ApplyMethod  string         `json:"applyMethod,omitempty" enum:"ssa,csa,unchanged" doc:"The newest revision's apply method; unchanged: the same as the first one's."`
	AllowPending bool           `json:"allowPending,omitempty" doc:"A pending-* status is accepted."`
	Reachable    []int          `json:"reachable,omitempty" min:"1" doc:"Revisions that must still be in storage, as rollback targets."`
}

// Live states that the cluster holds what a revision's manifest says.
type Live struct {
	At         string      `json:"at,omitempty" format:"step" doc:"Judged at the end of this step; the last one if empty."`
	Revision   int         `json:"revision,omitempty" min:"0" doc:"The revision; the newest if 0."`
	Ignore     []Allowance `json:"ignore,omitempty" doc:"Fields that may differ; with a manager, only where it owns the field."`
	AllowExtra []string    `json:"allowExtra,omitempty" format:"ref" doc:"Objects, as Kind/name, that may carry the release's annotations without being in the manifest."`
	Strict     bool        `json:"strict,omitempty" doc:"List entries (containers, env, ports, volumes) that the manifest lacks are reported too."`
}

// RecoveryTime bounds how long a step took until every workload of the release was Current again.
type RecoveryTime struct {
	Of  string          `json:"of" required:"true" format:"step" doc:"The step."`
	Max metav1.Duration `json:"max" required:"true" doc:"The longest it may take, from the step's start until every workload is Current for good, await steps that follow included."`
}

// ObjectMatch states fields of one object.
type ObjectMatch struct {
	At      string         `json:"at,omitempty" format:"step" doc:"Judged at the end of this step; the last one if empty."`
	Object  string         `json:"object" required:"true" format:"ref" doc:"The object, as Kind/name."`
	Match   map[string]any `json:"match,omitempty" doc:"A part of the object; lists match entry by entry, keyed lists by their key. null: the field is absent. Values of Secrets cannot be matched, since the evidence holds their hashes."`
	Absent  bool           `json:"absent,omitempty" doc:"The object must not exist, although it is known from the run: it was seen, written to or is in a manifest."`
	SameUID string         `json:"sameUID,omitempty" format:"step" doc:"It is the very object of this step: neither deleted nor made again since."`
}

// Events states which Kubernetes Events were seen.
type Events struct {
	At       string `json:"at,omitempty" format:"step" doc:"Only Events of this step; of the whole run if empty."`
	Object   string `json:"object,omitempty" format:"ref" doc:"The object they regard; any if empty."`
	Type     string `json:"type,omitempty" enum:"Normal,Warning" doc:"Their type; any if empty."`
	Reason   string `json:"reason,omitempty" doc:"Their reason; any if empty."`
	Contains string `json:"contains,omitempty" doc:"Text in their message; any if empty."`
	Min      *int   `json:"min,omitempty" min:"0" doc:"The fewest that must be seen; 1 if neither min nor max is stated, else 0."`
	Max      *int   `json:"max,omitempty" min:"0" doc:"The most that may be seen; 0: none."`
}

// Firings states how often a fault took effect.
type Firings struct {
	At       string `json:"at,omitempty" format:"step" doc:"Only firings during this step; those of the whole run if empty."`
	Fault    string `json:"fault" required:"true" format:"fault" doc:"The fault's name."`
	Contains string `json:"contains,omitempty" doc:"Only firings whose detail, as the timeline has it, contains this text."`
	Min      *int   `json:"min,omitempty" min:"0" doc:"The fewest that must be seen; 1 if neither min nor max is stated, else 0."`
	Max      *int   `json:"max,omitempty" min:"0" doc:"The most that may be seen; 0: none."`
}
