package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Install installs the release's chart.
type Install struct {
	ChartSource       `json:",inline"`
	Options           `json:",inline"`
	RollbackOnFailure *bool `json:"rollbackOnFailure,omitempty" doc:"Uninstall again if it fails."`
	SkipCRDs          *bool `json:"skipCRDs,omitempty" doc:"Leave out the chart's crds folder."`
}

// Upgrade upgrades the release.
type Upgrade struct {
	ChartSource       `json:",inline"`
	Options           `json:",inline"`
	RollbackOnFailure *bool `json:"rollbackOnFailure,omitempty" doc:"Roll back to the last deployed revision if it fails."`
	Install           *bool `json:"install,omitempty" doc:"Install the release if there is none."`
	ReuseValues       *bool `json:"reuseValues,omitempty" doc:"Start from the last revision's values."`
	ResetValues       *bool `json:"resetValues,omitempty" doc:"Start from the chart's own values."`
}

// ChartSource overrides the release's chart and values for one operation.
type ChartSource struct {
	Chart      string         `json:"chart,omitempty" doc:"As release.chart, for this operation."`
	Version    string         `json:"version,omitempty" doc:"As release.version, for this operation."`
	Values     map[string]any `json:"values,omitempty" doc:"Chart values, merged over the release's."`
	ValueFiles []string       `json:"valueFiles,omitempty" doc:"Value files, after the release's."`
}

// Rollback is Helm's rollback.
type Rollback struct {
	Options `json:",inline"`
	To      int `json:"to,omitempty" shorthand:"true" min:"0" doc:"The revision to roll back to; 0 is the one before the last, as in Helm."`
}

// Uninstall removes the release.
type Uninstall struct {
	Options     `json:",inline"`
	KeepHistory *bool `json:"keepHistory,omitempty" doc:"Keep the revisions in storage, so that a rollback can bring the release back."`
}

// Test runs the release's test hooks, as helm test does.
type Test struct {
	Timeout *metav1.Duration `json:"timeout,omitempty" doc:"Helm's timeout of each test hook; that of the release's options if empty, cut to the step's deadline."`
	Helm    *Helm            `json:"helm,omitempty" doc:"Which helm command runs it, with driver cli only; release.helm if empty."`
}

// Act sets an actor off, or stops one that repeats.
type Act struct {
	Actor string `json:"actor" required:"true" shorthand:"true" format:"actor" doc:"The actor's name."`
	Stop  bool   `json:"stop,omitempty" doc:"Stop it instead."`
}

// Await waits until one object is in a stated state. Of several fields all must hold at once.
type Await struct {
	Object    string          `json:"object" required:"true" format:"ref" doc:"The object, as Kind/name."`
	Status    string          `json:"status,omitempty" enum:"InProgress,Current,Failed,Terminating,NotFound" doc:"Its kstatus."`
	Condition *AwaitCondition `json:"condition,omitempty" doc:"A condition of its status."`
	Field     *AwaitField     `json:"field,omitempty" doc:"A field."`
}

// AwaitCondition is a condition in .status.conditions.
type AwaitCondition struct {
	Type   string `json:"type" required:"true" doc:"The condition's type."`
	Status string `json:"status,omitempty" enum:"True,False,Unknown" default:"True" doc:"Its status."`
	Reason string `json:"reason,omitempty" doc:"Its reason; any if empty."`
}

// AwaitField is a field with a value.
type AwaitField struct {
	Path   string `json:"path" required:"true" format:"path" doc:"The field, for example .spec.replicas."`
	Equals any    `json:"equals,omitempty" doc:"The value; null: the field is absent."`
}
