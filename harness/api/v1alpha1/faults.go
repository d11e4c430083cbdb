package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Fault is something that breaks on purpose, and is mended again.
type Fault struct {
	Name         string           `json:"name" required:"true" format:"name" doc:"Unique among the faults of a scenario; steps refer to it."`
	RequireFired *bool            `json:"requireFired,omitempty" default:"true" doc:"A fault that never took effect makes the verdict inconclusive."`
	After        *metav1.Duration `json:"after,omitempty" doc:"Injected this long after the operation of its step began, while that runs; before the operation if empty."`
	AfterRequest *Match           `json:"afterRequest,omitempty" doc:"Injected once the API server has answered the first of Helm's requests that fits; Helm gets the answer once the fault has taken effect. verb is write if empty."`
	Timeout      *metav1.Duration `json:"timeout,omitempty" default:"1m" doc:"How long it may take to be seen to have taken effect, and to be seen to have recovered."`
	Do           Choice           `json:",inline" registry:"fault" doc:"What breaks."`
}

// Late reports whether the fault is injected while the operation of its step runs.
func (f Fault) Late() bool { return f.After != nil || f.AfterRequest != nil }

// NodeTarget says which node a fault is about.
type NodeTarget struct {
	Node   string `json:"node,omitempty" bare:"true" doc:"The node, by name or by number: 1 is the first worker, and nodes of the control plane come last."`
	NodeOf string `json:"nodeOf,omitempty" format:"ref" doc:"The node that runs the first pod, by name, of this workload."`
}

// PodTarget says which pods a fault is about.
type PodTarget struct {
	Workload string `json:"workload" required:"true" format:"ref" doc:"The workload, as Kind/name: a Deployment, StatefulSet, DaemonSet, Job or Pod."`
	Pods     *int   `json:"pods,omitempty" default:"1" min:"0" doc:"How many of its pods, the first ones by name; 0: all."`
}

// PauseNode freezes a node.
type PauseNode struct {
	NodeTarget `json:",inline"`
}

// KillNode ends a node, and starts it again on recovery.
type KillNode struct {
	NodeTarget `json:",inline"`
}

// CordonNode makes a node unschedulable.
type CordonNode struct {
	NodeTarget `json:",inline"`
}

// DrainNode makes a node unschedulable and evicts its pods.
type DrainNode struct {
	NodeTarget `json:",inline"`
}

// TaintNode puts a taint on a node.
type TaintNode struct {
	NodeTarget `json:",inline"`
	Key        string `json:"key,omitempty" default:"rehearse.dev/fault" doc:"The taint's key."`
	Value      string `json:"value,omitempty" bare:"true" doc:"The taint's value."`
	Effect     string `json:"effect,omitempty" enum:"NoSchedule,PreferNoSchedule,NoExecute" default:"NoSchedule" doc:"What it does to pods that do not tolerate it. NoExecute is skipped on embedded clusters, where nothing evicts."`
}

// DeletePod deletes pods.
type DeletePod struct {
	PodTarget `json:",inline"`
	Grace     *metav1.Duration `json:"grace,omitempty" min:"0s" doc:"How long their containers may take to end, in whole seconds; what the pod says if empty. 0s is without waiting for the kubelet."`
}

// EvictPod evicts pods through the Eviction API, which heeds disruption budgets.
type EvictPod struct {
	PodTarget `json:",inline"`
}

// CrashContainer ends containers of running pods; the kubelet restarts them.
type CrashContainer struct {
	PodTarget `json:",inline"`
	Container string           `json:"container,omitempty" doc:"The container's name; the pod's first if empty."`
	Every     *metav1.Duration `json:"every,omitempty" doc:"Crashes them again at this interval, whenever they run, until it recovers; once if empty."`
}

// UnpullableImage gives pods images that cannot be pulled.
type UnpullableImage struct {
	Workload string `json:"workload" required:"true" format:"ref" doc:"The workload, as Kind/name, whose pods get such images when they are created while the fault is active."`
}

// Inject injects a fault that spans steps.
type Inject struct {
	Fault string `json:"fault" required:"true" shorthand:"true" format:"fault" doc:"The fault's name."`
}

// Recover recovers a fault that was injected by a step of its own.
type Recover struct {
	Fault string `json:"fault" required:"true" shorthand:"true" format:"fault" doc:"The fault's name."`
}
