package kind

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	ranges := map[string][]string{"a": {"10.244.0.0/24"}, "b": {"10.244.1.0/24", "fd00::/64"}, "c": {"10.244.2.0/24"}, "dead": {"10.244.3.0/24"}}
	addresses := map[string]string{"a": "172.18.0.2", "b": "172.18.0.3", "c": "172.18.0.4"}
	want := "ip route replace 10.244.1.0/24 via 172.18.0.3\nip route replace 10.244.2.0/24 via 172.18.0.4"
	if diff := cmp.Diff(want, routes("a", addresses, ranges)); diff != "" {
		t.Error(diff)
	}
}

func TestFence(t *testing.T) {
	t.Parallel()
	const rule = "%s --destination 10.96.0.0/16 -m comment --comment rehearse -j REJECT"
	var want []string
	for _, chain := range []string{"OUTPUT", "FORWARD"} {
		rule := fmt.Sprintf(rule, chain)
		want = append(want, "iptables -w -C "+rule+" 2>/dev/null || iptables -w -A "+rule)
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), fence([]string{"10.96.0.0/16"})); diff != "" {
		t.Error(diff)
	}
}
