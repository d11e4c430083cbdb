package kind

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	ranges := map[string][]string{"a": {"10.244.0.0/24"}, "b": {"10.244.1.0/24", "fd00::/64"}, "c": {"10.244.2.0/24"}, "dead": {"10.244.3.0/24"}}
	addresses := map[string]string{"a": "172.18.0.2", "b": "172.18.0.3", "c": "172.18.0.4"}
	want := "set -e\nip route replace 10.244.1.0/24 via 172.18.0.3\nip route replace 10.244.2.0/24 via 172.18.0.4"
	if diff := cmp.Diff(want, routes("a", addresses, ranges)); diff != "" {
		t.Error(diff)
	}
}
