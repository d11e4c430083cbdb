package fault

import (
	"fmt"
	"strings"

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
		return &wire.Action{Response: &wire.Response{Read: func(status int, body []byte) { tell(answer{r, status, body}) }}}
	}))
}
