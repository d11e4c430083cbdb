// Package pki makes certificate authorities and what they sign. The key of an authority never leaves memory.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// skew is how far the clock of who checks a certificate may lag behind ours.
const skew = time.Hour

// Authority signs certificates.
type Authority struct {
	// PEM is its own certificate.
	PEM []byte

	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	life time.Duration
}

// Pair is a certificate and its key, PEM-encoded.
type Pair struct{ Cert, Key []byte }

// New makes an authority. Its certificates, and its own, are valid for life.
func New(name string, life time.Duration) (*Authority, error) {
	fail := func(err error) (*Authority, error) { return nil, fmt.Errorf("make the authority %s: %w", name, err) }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	template, err := template(pkix.Name{CommonName: name}, life)
	if err != nil {
		return fail(err)
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fail(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	return &Authority{key: key, cert: cert, life: life, PEM: block("CERTIFICATE", der)}, nil
}

// Server issues a server's certificate for hosts, which are IP addresses or DNS names.
func (a *Authority) Server(name string, hosts ...string) (Pair, error) {
	return a.issue(pkix.Name{CommonName: name}, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, host := range hosts {
			if ip := net.ParseIP(host); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, host)
			}
		}
	})
}

// Client issues a certificate for a user in groups.
func (a *Authority) Client(user string, groups ...string) (Pair, error) {
	return a.issue(pkix.Name{CommonName: user, Organization: groups}, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
}

func (a *Authority) issue(subject pkix.Name, edit func(*x509.Certificate)) (Pair, error) {
	fail := func(err error) (Pair, error) {
		return Pair{}, fmt.Errorf("issue a certificate for %s: %w", subject.CommonName, err)
	}
	template, err := template(subject, a.life)
	if err != nil {
		return fail(err)
	}
	edit(template)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return fail(err)
	}
	keyPEM, err := encode(key)
	if err != nil {
		return fail(err)
	}
	return Pair{Cert: block("CERTIFICATE", der), Key: keyPEM}, nil
}

// SigningKey makes a key that signs tokens, PEM-encoded.
func SigningKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return encode(key)
}

func template(subject pkix.Name, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: now.Add(-skew), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, nil
}

func encode(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return block("EC PRIVATE KEY", der), nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
