package cluster

import "context"

// Interruptible is a Cluster whose control plane can be broken on purpose. Each method is content if what it asks for is
// so already, and each that mends goes by what the cluster itself remembers: another process may call it than the one
// that broke.
type Interruptible interface {
	Cluster
	// PauseAPIServer freezes the API server: connections stay, and nothing is answered until ResumeAPIServer.
	PauseAPIServer(ctx context.Context) error
	// ResumeAPIServer lets it go on, and returns once it is ready.
	ResumeAPIServer(ctx context.Context) error
	// KillAPIServer ends the API server at once: connections break, and new ones are refused until StartAPIServer.
	KillAPIServer(ctx context.Context) error
	// StartAPIServer starts it again, at the same address, and returns once it is ready.
	StartAPIServer(ctx context.Context) error
	// PauseEtcd freezes etcd, until ResumeEtcd.
	PauseEtcd(ctx context.Context) error
	// ResumeEtcd lets etcd go on.
	ResumeEtcd(ctx context.Context) error
}
