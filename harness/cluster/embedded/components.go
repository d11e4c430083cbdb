package embedded

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// The names of the components are the first argument of the kube binary, and the names of their logs.
const (
	etcd              = "etcd"
	apiserver         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
)

// Files in a cluster's folder. Components run in that folder and name files relative to it, which also keeps the
// sockets' paths below the 104 bytes that macOS allows.
const (
	caFile          = "ca.crt"
	serverCertFile  = "apiserver.crt"
	serverKeyFile   = "apiserver.key"
	signingKeyFile  = "service-accounts.key"
	kubeconfigFile  = "kubeconfig"
	componentConfig = "components.kubeconfig"
	kubeletLog      = "simulated-kubelets.log"
)

// etcdArgs make etcd listen on sockets in the cluster's folder alone, which other users cannot enter; there is no port to
// be taken, and no certificate to be checked on every request. The two URLs with ports are never used: they are what a
// second member would be told, and there is none.
func etcdArgs() []string {
	return []string{
		"--name=embedded",
		"--data-dir=etcd",
		"--unsafe-no-fsync",
		"--listen-client-urls=unix://etcd.sock",
		"--advertise-client-urls=http://localhost:2379",
		"--listen-peer-urls=unix://etcd-peer.sock",
		"--initial-advertise-peer-urls=http://localhost:2380",
		"--initial-cluster=embedded=http://localhost:2380",
		"--log-level=warn",
	}
}

func apiserverArgs(port int) []string {
	return []string{
		"--etcd-servers=unix://etcd.sock",
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + serverCertFile,
		"--tls-private-key-file=" + serverKeyFile,
		"--client-ca-file=" + caFile,
		"--anonymous-auth=false",
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + signingKeyFile,
		"--service-account-signing-key-file=" + signingKeyFile,
		"--service-cluster-ip-range=10.96.0.0/16",
		// There is one API server, so nobody needs to agree on who serves the Service "kubernetes".
		"--endpoint-reconciler-type=none",
		"--enable-priority-and-fairness=false",
		"--profiling=false",
		// ServiceAccount would hold back each namespace's first pods until its default account and token exist, for a token
		// that no simulated pod reads. TaintNodesByCondition would taint new nodes until the node lifecycle controller,
		// which wants leases, takes the taint away.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
	}
}

func controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + componentConfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--root-ca-file=" + caFile,
		"--service-account-private-key-file=" + signingKeyFile,
		"--controllers=*,-" + strings.Join(absentControllers, ",-"),
	}
}

func schedulerArgs() []string {
	return []string{
		"--kubeconfig=" + componentConfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}
}

// freePort returns a loopback port that nobody listens on. Somebody else may take it before the API server does.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free loopback port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("find a free loopback port: %w", err)
	}
	return port, nil
}

// absentControllers are those that have nothing to do here. Those of nodes would also take silence for death, as simulated
// nodes renew no leases.
var absentControllers = []string{
	"node-lifecycle-controller", "node-ipam-controller", "taint-eviction-controller", "device-taint-eviction-controller",
	"persistentvolume-attach-detach-controller", "persistentvolume-expander-controller",
	"certificatesigningrequest-signing-controller", "certificatesigningrequest-approving-controller",
	"certificatesigningrequest-cleaner-controller", "podcertificaterequest-cleaner-controller",
	"service-lb-controller", "node-route-controller", "cloud-node-lifecycle-controller",
}
