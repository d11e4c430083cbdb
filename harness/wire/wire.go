// Package wire says what may be done to a request of Helm to the API server on its way. It is what the gateway and the
// faults know of each other.
package wire

import (
	"context"
	"net/http"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
)

// Interceptor decides what becomes of a request. It is asked once for each, before the request goes on, so that nothing is
// known of an answer; nil lets it pass. It may be asked from several goroutines, but for one request at a time, in the order
// of their numbers.
type Interceptor interface {
	Intercept(evidence.Request) *Action
}

// InterceptorFunc is an Interceptor that is a function.
type InterceptorFunc func(evidence.Request) *Action

// Intercept implements Interceptor.
func (f InterceptorFunc) Intercept(r evidence.Request) *Action { return f(r) }

// Action is what becomes of one request. Its parts happen in the order of the fields; the context that functions get
// ends when the client has given the request up.
type Action struct {
	// By names who acts, for the evidence.
	By string
	// Before runs before the request goes on, or is answered.
	Before func(context.Context)
	// Delay holds the request back.
	Delay time.Duration
	// Answer is given instead of the API server's, which never sees the request.
	Answer *Answer
	// After runs once the API server has answered, before any byte of its answer goes back. It does not run if the API
	// server did not answer.
	After func(context.Context)
	// Read is told of the API server's answer, whole, before any byte of it goes back. Of a watch that is a refusal only.
	Read func(status int, body []byte)
	// Response is what happens to the API server's answer.
	Response *Response
}

// Break is a way in which a connection fails.
type Break string

// The ways. What stalls goes on once the interceptor is removed, as if nothing had been.
const (
	Reset Break = "reset" // the connection is reset
	Close Break = "close" // the connection ends in good order, but too early
	Stall Break = "stall" // nothing comes any more, and the connection stays
	TLS   Break = "tls"   // the connection is cut with a TLS alert; clients see a broken handshake of TLS
)

// Answer is what a client gets without the API server: a break or, if that is empty, a whole response.
type Answer struct {
	Break  Break
	Status int
	Header http.Header
	Body   []byte
}

// Response is what happens to an answer of the API server: a break, or another body.
type Response struct {
	// Break comes before any byte of the answer if Lost is set. Otherwise it comes after Events of a watch, or half of any
	// other body.
	Break  Break
	Lost   bool
	Events int
	// Last is written before the break of a watch, as its last event.
	Last []byte
	// Edit returns another body, and whether it differs. It is not called for watches, nor if there is a break.
	Edit func(body []byte) ([]byte, bool)
	// Done runs when it happens, which is never if the client loses interest before.
	Done func()
}

// Path is what faults see of the gateway.
type Path interface {
	// Intercept lets an interceptor decide on the requests to come, until it is removed. Those that were there before are
	// asked first, and one that answers a request, or does something to its response, is the last to be asked.
	Intercept(Interceptor) (remove func())
}
