package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// answer is what the API server answered to a request of Helm's.
type answer struct {
	evidence.Request
	status int
	body   []byte
}

// String is what was asked and the status of the answer.
func (a answer) String() string { return fmt.Sprintf("%s: %d", a.Request, a.status) }

// says reports whether an answer contains all of these words, however it is encoded.
func (a answer) says(words ...string) bool {
	for _, w := range words {
		if !strings.Contains(string(a.body), w) {
			return false
		}
	}
	return true
}

// always wants the answers to all requests.
func always(evidence.Request) bool { return true }

// overhear tells of the API server's answers to those of Helm's requests that are wanted, before Helm has them, until stop
// is called. Where Helm's requests pass nowhere, nothing is heard.
func (s Site) overhear(wanted func(evidence.Request) bool, tell func(answer)) (stop func()) {
	if s.Path == nil {
		return func() {}
	}
	return s.Path.Intercept(wire.InterceptorFunc(func(r evidence.Request) *wire.Action {
		if !wanted(r) {
			return nil
		}
		return &wire.Action{Read: func(status int, body []byte) { tell(answer{r, status, body}) }}
	}))
}

// AfterRequest does something once the API server has answered the first request that fits m; Helm has to wait for the answer
// meanwhile. name is that of the fault it is done for. stop keeps it from being done, or waits until it has been. Where
// Helm's requests pass nowhere, it is not done.
func (s Site) AfterRequest(m v1alpha1.Match, name string, do func()) (stop func()) {
	if s.Path == nil {
		return func() {}
	}
	var once sync.Once
	matcher := newMatcher(orWrite(m), s.Seed, name)
	remove := s.Path.Intercept(wire.InterceptorFunc(func(r evidence.Request) *wire.Action {
		if !matcher.picks(r) {
			return nil
		}
		return &wire.Action{By: name, After: func(context.Context) { once.Do(do) }}
	}))
	return func() {
		remove()
		once.Do(func() {})
	}
}

// writing are Helm's writes that are under way.
type writing struct {
	mu   sync.Mutex
	open []evidence.Request
}

// follow keeps count of Helm's writes that are under way, until stop is called.
func (s Site) follow() (w *writing, stop func()) {
	w = &writing{}
	return w, s.overhear(func(r evidence.Request) bool {
		if r.Writes() {
			w.begin(r)
		}
		return r.Writes()
	}, func(a answer) { w.end(a.Request) })
}

// begin notes a write, in the place of one of the same kind that was never answered.
func (w *writing) begin(r evidence.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = append(slices.DeleteFunc(w.open, func(o evidence.Request) bool { return sameWrite(o, r) }), r)
}

// end notes that a write was answered.
func (w *writing) end(r evidence.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = slices.DeleteFunc(w.open, func(o evidence.Request) bool { return o.Number == r.Number })
}

// of is the write like this one that is under way; the zero Request if there is none.
func (w *writing) of(like evidence.Request) evidence.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.open, func(o evidence.Request) bool { return sameWrite(o, like) })
	if i < 0 {
		return evidence.Request{}
	}
	return w.open[i]
}

// sameWrite reports whether two writes are about the same object, in the name of the same field manager. So those of actors
// are none of Helm's.
func sameWrite(a, b evidence.Request) bool {
	return a.Group == b.Group && a.Resource == b.Resource && a.Subresource == b.Subresource && a.Namespace == b.Namespace && a.Name == b.Name && a.Manager == b.Manager
}
