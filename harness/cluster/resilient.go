package cluster

// Resilient is a Cluster that starts a part of itself again which ended by itself because of an outage that was asked for,
// as a kubelet would. Without such an outage that is the cluster's death; see Mortal.
type Resilient interface {
	Cluster
	// Restarts are all that there have been, in their order; whoever asks may be another process than the one that has
	// started them.
	Restarts() ([]Restart, error)
}

// Restart is a part of a cluster that was started again.
type Restart struct {
	Component string `json:"component"`
	// Reason says what it was that it did not survive, and how it ended.
	Reason string `json:"reason"`
}
