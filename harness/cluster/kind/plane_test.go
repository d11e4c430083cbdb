package kind

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

// An API server that is ready but refuses the administrator, as one does that has not read its roles, is waited for.
func TestAwaitAPIServer(t *testing.T) {
	t.Parallel()
	var refusals atomic.Int32
	refusals.Store(2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" && refusals.Load() > 0 {
			refusals.Add(-1)
			http.Error(w, "no roles yet", http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	c := &Cluster{name: "c", config: &rest.Config{Host: server.URL}}
	if err := c.awaitAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := refusals.Load(); left != 0 {
		t.Errorf("it was taken for ready %d refusals before it was", left)
	}
}
