package fault

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Answer is what the API server answered to one request of Helm's.
type Answer struct {
	// Method and Path are those of the request, on HTTP's level.
	Method, Path string
	Code         int
	// Body is set for writes and for refusals.
	Body []byte
}

// refused reports whether the API server did not do what was asked.
func (a Answer) refused() bool { return a.Code >= http.StatusBadRequest }

func (a Answer) String() string { return fmt.Sprintf("%s %s: %d", a.Method, a.Path, a.Code) }

// Answers tells faults what the API server answers Helm, since some of them fire only once Helm meets them. Whatever
// carries Helm's requests calls Saw: the transport that Wrap makes, where Helm runs in this process. The zero value is
// ready, and it is safe for concurrent use.
type Answers struct {
	mu        sync.Mutex
	listeners map[int]func(Answer)
	next      int
}

// Saw tells everybody who listens of an answer, before Helm has it.
func (a *Answers) Saw(answer Answer) {
	a.mu.Lock()
	var all []func(Answer)
	for _, tell := range a.listeners {
		all = append(all, tell)
	}
	a.mu.Unlock()
	for _, tell := range all {
		tell(answer)
	}
}

// listen calls tell for every answer until stop is called. A nil receiver knows of no answers.
func (a *Answers) listen(tell func(Answer)) (stop func()) {
	if a == nil {
		return func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listeners == nil {
		a.listeners = map[int]func(Answer){}
	}
	number := a.next
	a.next++
	a.listeners[number] = tell
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.listeners, number)
	}
}

func (a *Answers) heard() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.listeners) > 0
}

// Wrap makes a transport that tells of its answers; it fits rest.Config.Wrap. Nothing is read ahead while nobody listens.
func (a *Answers) Wrap(next http.RoundTripper) http.RoundTripper { return &overheard{next, a} }

type overheard struct {
	next    http.RoundTripper
	answers *Answers
}

// RoundTrip implements http.RoundTripper.
func (o *overheard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(req)
	if err != nil || !o.answers.heard() {
		return resp, err
	}
	answer := Answer{Method: req.Method, Path: req.URL.Path, Code: resp.StatusCode}
	if req.Method != http.MethodGet || answer.refused() {
		body, err := io.ReadAll(resp.Body)
		if closeErr := resp.Body.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, fmt.Errorf("reading the answer to %s %s: %w", req.Method, req.URL.Path, err)
		}
		answer.Body = body
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	o.answers.Saw(answer)
	return resp, nil
}

// WrappedRoundTripper lets client-go find the transport below.
func (o *overheard) WrappedRoundTripper() http.RoundTripper { return o.next }

// says reports whether an answer contains all of these words, however it is encoded.
func (a Answer) says(words ...string) bool {
	for _, w := range words {
		if !strings.Contains(string(a.Body), w) {
			return false
		}
	}
	return true
}
