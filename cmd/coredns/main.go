// Command coredns is the cluster DNS of node images that are made without a registry: CoreDNS with the plugins that
// kubeadm's configuration names, and no others.
//
// It is a module of its own, as its versions of what it shares with Kubernetes, containerd and Helm are others.
package main

import (
	"github.com/coredns/coredns/coremain"

	// What kubeadm's Corefile names; CoreDNS refuses to start on the first directive that it does not know.
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() { coremain.Run() }
