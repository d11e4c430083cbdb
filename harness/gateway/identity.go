package gateway

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// validity is how long the certificates of a run are good for: longer than any run.
const validity = 7 * 24 * time.Hour

// Identity is the certificates of a run's gateways and of their clients. The key of the authority that signed them is
// thrown away, and nobody who lacks the client's certificate gets in: behind a gateway is an administrator's access.
type Identity struct {
	authority *x509.CertPool
	server    tls.Certificate
	// In PEM, for clients.
	caPEM, certPEM, keyPEM []byte
}

// NewIdentity makes certificates for one run.
func NewIdentity() (*Identity, error) {
	caKey, err := newKey()
	if err != nil {
		return nil, err
	}
	ca := template("rehearse gateway authority", 1)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, fmt.Errorf("making the gateways' authority: %w", err)
	}
	id := &Identity{authority: x509.NewCertPool(), caPEM: pemOf("CERTIFICATE", caDER)}
	id.authority.AppendCertsFromPEM(id.caPEM)

	server := template("rehearse gateway", 2)
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	certPEM, keyPEM, err := issue(server, ca, caKey)
	if err != nil {
		return nil, err
	}
	if id.server, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, fmt.Errorf("reading a gateway's own certificate: %w", err)
	}
	client := template("helm", 3)
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	id.certPEM, id.keyPEM, err = issue(client, ca, caKey)
	return id, err
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for the gateways: %w", err)
	}
	return key, nil
}

func template(name string, serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity), KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func issue(cert, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (certPEM, keyPEM []byte, err error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, key.Public(), caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("signing the certificate of %s: %w", cert.Subject.CommonName, err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the key of %s: %w", cert.Subject.CommonName, err)
	}
	return pemOf("CERTIFICATE", der), pemOf("EC PRIVATE KEY", keyDER), nil
}

func pemOf(kind string, der []byte) []byte {
	return bytes.TrimSpace(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
