package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"rehearse.dev/rehearse/harness/pki"
)

// certLife is how long certificates last; clusters are kept for days at most.
const certLife = 365 * 24 * time.Hour

// masters is the group whose members the API server lets do everything.
const masters = "system:masters"

// credentials are what a cluster's members identify themselves with.
type credentials struct {
	ca                *pki.Authority
	admin, components pki.Pair
}

// newCredentials makes them and writes into dir what the API server and the controller manager read.
func newCredentials(dir string) (*credentials, error) {
	ca, err := pki.New("rehearse", certLife)
	if err != nil {
		return nil, err
	}
	server, err := ca.Server("kube-apiserver", "127.0.0.1", "::1", "localhost")
	if err != nil {
		return nil, err
	}
	signing, err := pki.SigningKey()
	if err != nil {
		return nil, err
	}
	admin, err := ca.Client("rehearse-admin", masters)
	if err != nil {
		return nil, err
	}
	// One identity for the controller manager and the scheduler, and with all rights: the roles for identities of their
	// own are made by the API server only after it answers, and would have to be waited for.
	components, err := ca.Client("system:kube-components", masters)
	if err != nil {
		return nil, err
	}
	err = writeFiles(dir, map[string][]byte{
		caFile:         ca.PEM,
		serverCertFile: server.Cert,
		serverKeyFile:  server.Key,
		signingKeyFile: signing,
	})
	if err != nil {
		return nil, fmt.Errorf("write certificates: %w", err)
	}
	return &credentials{ca: ca, admin: admin, components: components}, nil
}

// config is a client configuration for an API server on port.
func (c *credentials) config(port int, as pki.Pair) *rest.Config {
	return &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", port),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca.PEM, CertData: as.Cert, KeyData: as.Key},
		QPS:             -1,
	}
}

// writeKubeconfigs writes the files that let users and components in.
func (c *credentials) writeKubeconfigs(dir, cluster, host string) error {
	for file, user := range map[string]pki.Pair{kubeconfigFile: c.admin, componentConfig: c.components} {
		if err := writeKubeconfig(filepath.Join(dir, file), cluster, host, c.ca.PEM, user); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes files that only their owner can read.
func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeKubeconfig writes a kubeconfig that carries its certificates.
func writeKubeconfig(path, cluster, host string, ca []byte, user pki.Pair) error {
	const name = "rehearse-admin"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[cluster] = &clientcmdapi.Cluster{Server: host, CertificateAuthorityData: ca}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: user.Cert, ClientKeyData: user.Key}
	kubeconfig.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: name}
	kubeconfig.CurrentContext = cluster
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return nil
}
