package embedded

import (
	"crypto/rand"
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
	ca *pki.Authority
	// Bearer tokens, as the API server would verify a client's certificate anew with every request (decision 0033).
	admin, components string
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
	c := &credentials{ca: ca, admin: rand.Text(), components: rand.Text()}
	err = writeFiles(dir, map[string][]byte{
		caFile:         ca.PEM,
		serverCertFile: server.Cert,
		serverKeyFile:  server.Key,
		signingKeyFile: signing,
		tokensFile:     c.tokens(),
	})
	if err != nil {
		return nil, fmt.Errorf("write credentials: %w", err)
	}
	return c, nil
}

// tokens is the API server's token file: per line a token, its user, the user's UID, and a group.
//
// The controller manager and the scheduler share an identity with all rights: the roles for identities of their own are
// made by the API server only after it answers, and would have to be waited for.
func (c *credentials) tokens() []byte {
	const lines = "%s,rehearse-admin,rehearse-admin,%[3]s\n%[2]s,system:kube-components,system:kube-components,%[3]s\n"
	return fmt.Appendf(nil, lines, c.admin, c.components, masters)
}

// config is the administrator's client configuration for an API server on port.
func (c *credentials) config(port int) *rest.Config {
	return &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", port),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca.PEM},
		BearerToken:     c.admin,
		QPS:             -1,
	}
}

// writeKubeconfigs writes the files that let users and components in.
func (c *credentials) writeKubeconfigs(dir, cluster, host string) error {
	for file, token := range map[string]string{kubeconfigFile: c.admin, componentConfig: c.components} {
		if err := writeKubeconfig(filepath.Join(dir, file), cluster, host, c.ca.PEM, token); err != nil {
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

// writeKubeconfig writes a kubeconfig that carries what it needs.
func writeKubeconfig(path, cluster, host string, ca []byte, token string) error {
	const name = "rehearse-admin"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[cluster] = &clientcmdapi.Cluster{Server: host, CertificateAuthorityData: ca}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	kubeconfig.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: name}
	kubeconfig.CurrentContext = cluster
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return nil
}
