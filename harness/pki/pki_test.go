package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/pki"
)

// leaf is the certificate of a pair, whose key must fit it.
func leaf(t *testing.T, p pki.Pair) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// What an authority signs is good for what it was made for, by that authority alone, and as long as was said.
func TestAuthority(t *testing.T) {
	t.Parallel()
	var authorities [2]*pki.Authority
	var pools [2]*x509.CertPool
	for i := range authorities {
		var err error
		if authorities[i], err = pki.New("test", time.Hour); err != nil {
			t.Fatal(err)
		}
		pools[i] = x509.NewCertPool()
		pools[i].AppendCertsFromPEM(authorities[i].PEM)
	}
	serverPair, err := authorities[0].Server("s", "127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	clientPair, err := authorities[0].Client("u", "g")
	if err != nil {
		t.Fatal(err)
	}
	server, client := leaf(t, serverPair), leaf(t, clientPair)
	if client.Subject.CommonName != "u" || len(client.Subject.Organization) != 1 || client.Subject.Organization[0] != "g" {
		t.Errorf("the client is %v", client.Subject)
	}
	forServers, forClients := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for name, test := range map[string]struct {
		cert *x509.Certificate
		with x509.VerifyOptions
		good bool
	}{
		"server by address":    {server, x509.VerifyOptions{Roots: pools[0], DNSName: "127.0.0.1", KeyUsages: forServers}, true},
		"server by name":       {server, x509.VerifyOptions{Roots: pools[0], DNSName: "localhost", KeyUsages: forServers}, true},
		"another host":         {server, x509.VerifyOptions{Roots: pools[0], DNSName: "127.0.0.2", KeyUsages: forServers}, false},
		"server as client":     {server, x509.VerifyOptions{Roots: pools[0], KeyUsages: forClients}, false},
		"client":               {client, x509.VerifyOptions{Roots: pools[0], KeyUsages: forClients}, true},
		"by another authority": {client, x509.VerifyOptions{Roots: pools[1], KeyUsages: forClients}, false},
		"too late":             {client, x509.VerifyOptions{Roots: pools[0], KeyUsages: forClients, CurrentTime: time.Now().Add(2 * time.Hour)}, false},
	} {
		if _, err := test.cert.Verify(test.with); (err == nil) != test.good {
			t.Errorf("%s: %v, want good: %v", name, err, test.good)
		}
	}
}

func TestSigningKey(t *testing.T) {
	t.Parallel()
	one, err := pki.SigningKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.SigningKey()
	if err != nil || string(one) == string(other) {
		t.Errorf("two keys are the same: %v", err)
	}
}
