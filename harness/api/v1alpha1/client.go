package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// HelmTrigger says when a fault acts on Helm itself. At most one of its fields is stated; without any, the fault acts when
// it is injected, so that its own after says when.
type HelmTrigger struct {
	Before *Match `json:"before,omitempty" doc:"Acts once, before this request of Helm goes on to the API server. It is a write unless verb says otherwise, and the first that fits unless nth does."`
	After  *Match `json:"after,omitempty" doc:"Acts once, when the API server has answered this request, and before Helm gets the answer."`
	When   *Await `json:"when,omitempty" doc:"Acts once an object is in this state."`
}

// SignalHelm sends a signal to the helm process.
type SignalHelm struct {
	Signal      string `json:"signal" required:"true" shorthand:"true" enum:"KILL,TERM,STOP" doc:"The signal. KILL and STOP before a request hold it back: it never reaches the API server, or not until helm goes on. After TERM helm gives up by itself."`
	HelmTrigger `json:",inline"`
	For         *metav1.Duration `json:"for,omitempty" doc:"How long STOP lasts; until the step's deadline ends helm if empty."`
}

// CancelHelm ends the context of Helm's operation.
type CancelHelm struct {
	HelmTrigger `json:",inline"`
	As          string `json:"as,omitempty" enum:"cancelled,timedOut" default:"cancelled" doc:"How the context ends: cancelled, or as one whose deadline has passed, which only driver sdk can be told."`
}

// RivalHelm runs an operation by a second Helm on the same release.
type RivalHelm struct {
	HelmTrigger `json:",inline"`
	Upgrade     *Upgrade         `json:"upgrade,omitempty" doc:"The second Helm upgrades."`
	Rollback    *Rollback        `json:"rollback,omitempty" doc:"The second Helm rolls back."`
	Uninstall   *Uninstall       `json:"uninstall,omitempty" doc:"The second Helm uninstalls."`
	Beside      bool             `json:"beside,omitempty" doc:"Both go on at once. Without it, the first Helm's request is held back until the second has ended, so that every run has the same order."`
	Deadline    *metav1.Duration `json:"deadline,omitempty" default:"30s" doc:"Deadline of the second operation."`
}

// Operations are those that the rival is told to do; one, if the scenario is valid.
func (r *RivalHelm) Operations() []Choice {
	var all []Choice
	if r.Upgrade != nil {
		all = append(all, Choice{Kind: "upgrade", Spec: r.Upgrade})
	}
	if r.Rollback != nil {
		all = append(all, Choice{Kind: "rollback", Spec: r.Rollback})
	}
	if r.Uninstall != nil {
		all = append(all, Choice{Kind: "uninstall", Spec: r.Uninstall})
	}
	return all
}
