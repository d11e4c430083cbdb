package cluster

import (
	"context"
	"errors"
)

// ErrUnsupported means that a provider cannot do something faithfully. The text of the error that wraps it says why.
var ErrUnsupported = errors.New("not supported by this provider")

// ErrNotRunning means that a container has just ended by itself, so that it cannot be crashed.
var ErrNotRunning = errors.New("the container does not run")

// Breakable is a Cluster whose nodes and containers can be broken on purpose.
type Breakable interface {
	Cluster
	// PauseNode freezes all that runs on a node, its kubelet included, until ResumeNode.
	PauseNode(ctx context.Context, node string) error
	// ResumeNode lets a paused node go on.
	ResumeNode(ctx context.Context, node string) error
	// KillNode ends a node at once, as a power cut would, until StartNode.
	KillNode(ctx context.Context, node string) error
	// StartNode starts a node that was killed.
	StartNode(ctx context.Context, node string) error
	// CrashContainer ends a running container of a pod at once; the kubelet will restart it. The error wraps ErrNotRunning
	// if it has ended by itself.
	CrashContainer(ctx context.Context, c ContainerRef) error
}

// ContainerRef names a container. ID is the runtime's, as the pod's status has it (containerd://...).
type ContainerRef struct{ Namespace, Pod, Container, Node, ID string }

// Incomplete is a Cluster without some of the controllers that others have.
type Incomplete interface {
	Cluster
	// Lacks returns an error that wraps ErrUnsupported if it has no controller of that name, as kube-controller-manager
	// --controllers has it.
	Lacks(controller string) error
}
