package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"rehearse.dev/rehearse/harness/pki"
)

// validity is how long the certificates of a run are good for: longer than any run.
const validity = 7 * 24 * time.Hour

// Identity is the certificates of a run's gateways and of their clients. The key of the authority that signed them is
// thrown away, and nobody who lacks the client's certificate gets in: behind a gateway is an administrator's access.
type Identity struct {
	authority *x509.CertPool
	server    tls.Certificate
	// caPEM and client are for clients.
	caPEM  []byte
	client pki.Pair
}

// NewIdentity makes certificates for one run.
func NewIdentity() (*Identity, error) {
	ca, err := pki.New("rehearse gateway authority", validity)
	if err != nil {
		return nil, err
	}
	id := &Identity{authority: x509.NewCertPool(), caPEM: ca.PEM}
	id.authority.AppendCertsFromPEM(ca.PEM)
	server, err := ca.Server("rehearse gateway", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	if id.server, err = tls.X509KeyPair(server.Cert, server.Key); err != nil {
		return nil, fmt.Errorf("reading a gateway's own certificate: %w", err)
	}
	id.client, err = ca.Client("helm")
	return id, err
}
