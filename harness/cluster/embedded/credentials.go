package embedded

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
)

// credentials are what a cluster's members identify themselves with.
type credentials struct {
	ca                *authority
	admin, components keyPair
}

// newCredentials makes them and writes into dir what the API server and the controller manager read.
func newCredentials(dir string) (*credentials, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	server, err := ca.server()
	if err != nil {
		return nil, err
	}
	signing, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	admin, err := ca.client("rehearse-admin", masters)
	if err != nil {
		return nil, err
	}
	// One identity for the controller manager and the scheduler, and with all rights: the roles for identities of their
	// own are made by the API server only after it answers, and would have to be waited for.
	components, err := ca.client("system:kube-components", masters)
	if err != nil {
		return nil, err
	}
	err = writeFiles(dir, map[string][]byte{
		caFile:         ca.pem,
		serverCertFile: server.cert,
		serverKeyFile:  server.key,
		signingKeyFile: signing,
	})
	if err != nil {
		return nil, fmt.Errorf("write certificates: %w", err)
	}
	return &credentials{ca: ca, admin: admin, components: components}, nil
}

// config is a client configuration for an API server on port.
func (c *credentials) config(port int, as keyPair) *rest.Config {
	return &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", port),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca.pem, CertData: as.cert, KeyData: as.key},
		QPS:             -1,
	}
}

// writeKubeconfigs writes the files that let users and components in.
func (c *credentials) writeKubeconfigs(dir, cluster, host string) error {
	for file, user := range map[string]keyPair{kubeconfigFile: c.admin, componentConfig: c.components} {
		if err := writeKubeconfig(filepath.Join(dir, file), cluster, host, c.ca.pem, user); err != nil {
			return err
		}
	}
	return nil
}
