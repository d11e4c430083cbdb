package kind

import (
	"errors"
	"testing"

	"rehearse.dev/rehearse/harness/cluster"
)

// TestGateway: the address at which nodes reach this machine is found in what each engine says of a network.
func TestGateway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ inspected, want string }{
		"docker": {`[{"Name": "kind",
    "IPAM": {"Driver": "default", "Config": [
        {
            "Subnet": "fc00:f853:ccd:e793::/64",
            "Gateway": "fc00:f853:ccd:e793::1"
        },
        {
            "Subnet": "172.18.0.0/16",
            "Gateway": "172.18.0.1"
        }
    ]}}]`, "172.18.0.1"},
		"podman": {`[{"name": "kind",
    "subnets": [
        {
            "subnet": "10.89.0.0/24",
            "gateway": "10.89.0.1"
        }
    ]}]`, "10.89.0.1"},
		"only six": {"\"Gateway\": \"fc00:f853:ccd:e793::1\"\n", "fc00:f853:ccd:e793::1"},
		"none":     {"\"Config\": [],\n\"Gateway\": \"\"\n", ""},
	} {
		got, err := gateway(test.inspected)
		if got != test.want || (err != nil) != (test.want == "") || err != nil && !errors.Is(err, cluster.ErrUnsupported) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}
