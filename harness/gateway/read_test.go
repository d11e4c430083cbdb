package gateway_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"rehearse.dev/rehearse/harness/wire"
)

// TestRead: who reads an answer has it whole before the client does, and the client gets every byte all the same.
func TestRead(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		var read []string
		action := wire.Action{Read: func(status int, body []byte) {
			read = append(read, http.StatusText(status)+" "+string(body))
		}}
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

// TestReadBesideOthers: reading an answer keeps nobody else from being asked, and what others do to it comes after.
func TestReadBesideOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		action wire.Action
		// read is what the readers before and after it are told; got is what the client gets.
		read, got string
	}{
		"reading too": {wire.Action{Read: func(int, []byte) {}}, "first second", "[1,2,3]"},
		"answering":   {wire.Action{Answer: &wire.Answer{Status: 409, Body: []byte("conflict")}}, "", "conflict"},
		"losing it":   {wire.Action{Response: &wire.Response{Break: wire.Reset, Lost: true}}, "first", ""},
		"editing": {
			wire.Action{Response: &wire.Response{Edit: func([]byte) ([]byte, bool) { return []byte("other"), true }}}, "first", "other",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
				var mu sync.Mutex // a client whose answer is lost is told nothing of what went before
				var read []string
				reader := func(who string) wire.Interceptor {
					return always(&wire.Action{Read: func(_ int, body []byte) {
						if !strings.Contains(string(body), "[1,2,3]") {
							t.Errorf("%s read %q", who, body)
						}
						mu.Lock()
						defer mu.Unlock()
						read = append(read, who)
					}})
				}
				action := test.action
				defer s.Intercept(reader("first"))()
				defer s.Intercept(always(&action))()
				defer s.Intercept(reader("second"))()
				_, text, err := fetch(t.Context(), c, "PATCH", s.RESTConfig().Host+"/api/v1/namespaces/ns/pods/p", "{}")
				if broken := action.Response != nil && action.Response.Lost; (err != nil) != broken {
					t.Errorf("error %v", err)
				}
				if err == nil && !strings.Contains(text, test.got) {
					t.Errorf("the client got %q", text)
				}
				mu.Lock()
				defer mu.Unlock()
				if got := strings.Join(read, " "); got != test.read {
					t.Errorf("read by %q, not %q", got, test.read)
				}
			})
		})
	}
}
