package fault

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAnswers: who listens hears of answers before the client does, with the bodies of writes and refusals, and the client
// gets every byte all the same.
func TestAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(w, "body of "+r.URL.Path)
	}))
	t.Cleanup(server.Close)
	var answers Answers
	client := &http.Client{Transport: answers.Wrap(http.DefaultTransport)}
	call := func(method, path string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if body, err := io.ReadAll(resp.Body); string(body) != "body of "+path || err != nil {
			t.Errorf("%s %s: %q, %v", method, path, body, err)
		}
	}
	var heard []string
	call("GET", "/unheard")
	stop := answers.listen(func(a Answer) { heard = append(heard, a.String()+" "+string(a.Body)) })
	call("GET", "/read")
	call("PATCH", "/written")
	call("GET", "/refused")
	stop()
	call("GET", "/refused")
	want := "GET /read: 200 ,PATCH /written: 200 body of /written,GET /refused: 403 body of /refused"
	if got := strings.Join(heard, ","); got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
	var none *Answers
	none.listen(nil)() // what undoes a fault hears nothing
}
