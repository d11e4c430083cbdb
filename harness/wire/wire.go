// Package wire says what a request of Helm to the API server is, and what may be done to it on its way. It is what the
// gateway and the faults know of each other.
package wire

import (
	"context"
	"net/http"
	"time"
)

// Request is one request of Helm to the API server.
type Request struct {
	// Seq numbers a gateway's requests from 1, in the order in which they came.
	Seq int64
	// Verb is the API server's: get, list, watch, create, update, patch, delete or deletecollection; for a path that is no
	// object's, such as /version, the HTTP method in small letters.
	Verb string
	// Resource is in the plural; empty for a path that is no object's.
	Group, Version, Resource, Subresource string
	// Namespace and Name are the object's. Those of an object that is made are its own, or empty if the API server is to
	// choose a name.
	Namespace, Name string
	// Manager is the field manager that the request states; the API server goes by UserAgent if it states none.
	Manager, UserAgent string
	// Force says that the request takes fields from other managers. DryRun says that nothing is to be stored.
	Force, DryRun bool
	// Path is the request's path, without its query.
	Path string
}

// Mutates reports whether the request is a write that is no dry run.
func (r Request) Mutates() bool {
	switch r.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return r.Resource != "" && !r.DryRun
	}
	return false
}

// String is verb, resource and name, as in "patch deployments/backend", or verb and path.
func (r Request) String() string {
	if r.Resource == "" {
		return r.Verb + " " + r.Path
	}
	text := r.Verb + " " + r.Resource
	if r.Name != "" {
		text += "/" + r.Name
	}
	if r.Subresource != "" {
		text += " (" + r.Subresource + ")"
	}
	return text
}

// Interceptor decides what becomes of a request. It is asked once for each, before the request goes on; nil lets it pass.
// It may be asked from several goroutines, but for one request at a time, in the order of their Seq.
type Interceptor interface {
	Intercept(Request) *Action
}

// InterceptorFunc is an Interceptor that is a function.
type InterceptorFunc func(Request) *Action

// Intercept implements Interceptor.
func (f InterceptorFunc) Intercept(r Request) *Action { return f(r) }

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
	// asked first, and one that answers a request, or breaks its response, is the last to be asked.
	Intercept(Interceptor) (remove func())
}
