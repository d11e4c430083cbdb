package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AdmissionMatch says which requests a fault at admission is about: those in the scenario's namespace, whoever makes them,
// but for the harness itself.
type AdmissionMatch struct {
	Operations []string `json:"operations,omitempty" enum:"CREATE,UPDATE,DELETE,CONNECT" doc:"What they do; CREATE and UPDATE if empty. A patch, be it an apply, is an UPDATE, or the CREATE of what is not there."`
	Groups     []string `json:"groups,omitempty" doc:"The API groups of what they do it to; the core one is \"\"; any if empty."`
	Resources  []string `json:"resources" required:"true" doc:"What they do it to, in the plural: deployments; with a subresource, pods/eviction; * is any but subresources."`
	Expression string   `json:"expression,omitempty" doc:"Of these, only those for which this is true, in CEL, with object, oldObject and request as admission policies have them; all if empty."`
}

// Webhook is a validating webhook, which the API server asks about requests.
type Webhook struct {
	Rejects        *WebhookRejects  `json:"rejects,omitempty" doc:"It rejects them."`
	Slow           *metav1.Duration `json:"slow,omitempty" doc:"It allows them after this long; if that is longer than timeoutSeconds, the failure policy says what becomes of them."`
	Down           bool             `json:"down,omitempty" doc:"Nothing listens where it should; the failure policy says what becomes of them."`
	FailurePolicy  string           `json:"failurePolicy,omitempty" enum:"Fail,Ignore" default:"Fail" doc:"What becomes of a request about which it could not be asked: Fail refuses it, Ignore lets it pass."`
	TimeoutSeconds int              `json:"timeoutSeconds,omitempty" default:"10" min:"1" doc:"How long the API server waits for its answer, 30 seconds at most."`
	Match          AdmissionMatch   `json:"match" required:"true" doc:"The requests about which it is asked."`
}

// WebhookRejects is a webhook's refusal.
type WebhookRejects struct {
	Message string `json:"message" required:"true" shorthand:"true" doc:"What it says, which is part of the error that the client sees."`
}

// DenyAdmission is a ValidatingAdmissionPolicy that denies.
type DenyAdmission struct {
	AdmissionMatch `json:",inline"`
	Message        string `json:"message,omitempty" default:"denied by a fault" doc:"What it says, which is part of the error that the client sees."`
}

// Quota is a ResourceQuota for the scenario's namespace.
type Quota struct {
	Hard map[string]string `json:"hard" required:"true" bare:"true" doc:"Its limits by resource: pods, requests.cpu, count/deployments.apps. What is used already counts."`
}

// BlockEvictions is a disruption budget that allows no disruption.
type BlockEvictions struct {
	Workload string `json:"workload" required:"true" format:"ref" doc:"The workload, as Kind/name, whose pods may not be evicted: a Deployment, StatefulSet or ReplicaSet."`
}

// PendingVolume keeps claims from getting their volumes.
type PendingVolume struct {
	Claim string `json:"claim,omitempty" doc:"The name of the PersistentVolumeClaim that stays Pending; every one of the scenario's namespace that has no volume yet if empty."`
}
