package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/wire"
)

// TestRead: who reads an answer has it whole before the client does, and the client gets every byte all the same.
func TestRead(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		var read []string
		action := wire.Action{Response: &wire.Response{Read: func(status int, body []byte) {
			read = append(read, http.StatusText(status)+" "+string(body))
		}}}
		defer s.Intercept(always(&action))()
		status, text, err := fetch(t.Context(), c, "PATCH", s.RESTConfig().Host+"/api/v1/namespaces/ns/pods/p", "{}")
		if err != nil || status != 200 || !strings.Contains(text, "[1,2,3]") {
			t.Errorf("the client got %d, %q, %v", status, text, err)
		}
		if got := strings.Join(read, ","); got != "OK "+text {
			t.Errorf("read %q", got)
		}
	})
}
