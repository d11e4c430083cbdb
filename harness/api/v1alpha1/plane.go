package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PauseAPIServer freezes the API server for a while.
type PauseAPIServer struct {
	For *metav1.Duration `json:"for,omitempty" default:"3s" min:"1s" doc:"It goes on by itself this long after it was seen not to answer. The snapshot at the end of a step waits for that."`
}

// KillAPIServer ends the API server, and starts it again after a while.
type KillAPIServer struct {
	For *metav1.Duration `json:"for,omitempty" default:"3s" min:"1s" doc:"It is started again by itself this long after it was seen to be gone. The snapshot at the end of a step waits until it is ready."`
}

// SlowEtcd makes etcd answer late.
type SlowEtcd struct {
	Stall *metav1.Duration `json:"stall,omitempty" default:"300ms" min:"50ms" doc:"Etcd stands still for this long, again and again: the most that one request of the API server to it is held up."`
	Run   *metav1.Duration `json:"run,omitempty" default:"100ms" min:"10ms" doc:"Etcd runs for this long in between. A request at any time waits stall²/2(stall+run) on average: 112 ms by default."`
}
