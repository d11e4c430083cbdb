package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// maxBody is the longest body that is read before it goes on, and recorded; an API server takes no longer ones. What is
// longer streams.
const maxBody = 4 << 20

// maxRefusal is how much of a refusal is kept to find its message.
const maxRefusal = 16 << 10

// Keys of what a request's context carries.
type (
	connKey     struct{}
	exchangeKey struct{}
)

// act is what one interceptor does.
type act struct {
	*wire.Action
	removed <-chan struct{}
	seen    *evidence.Request
}

// exchange is one request and its answer.
type exchange struct {
	acts    []act
	seen    evidence.Request
	step    string
	body    []byte
	refusal []byte // the start of an answer that is a refusal
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := g.sink.Now()
	e := &exchange{step: g.sink.Step(), seen: parse(r)}
	e.seen.Began = began
	e.readBody(r)
	if e.seen.Verb == "create" && e.seen.Resource != "" && e.seen.Name == "" {
		e.seen.Name = nameIn(e.body)
	}
	if open := g.enter(e); !open {
		panic(http.ErrAbortHandler)
	}
	defer g.under.Done()
	defer func() { g.record(e) }()
	counted := &counter{ResponseWriter: w, exchange: e}
	if e.before(counted, r) {
		return
	}
	g.proxy.ServeHTTP(counted, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e)))
}

// readBody takes a body that is going to be recorded, and leaves the request as it was.
func (e *exchange) readBody(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	whole := r.Body
	body, err := io.ReadAll(io.LimitReader(whole, maxBody+1))
	e.seen.RequestBytes = max(int64(len(body)), r.ContentLength)
	rest := io.Reader(whole)
	if err != nil {
		rest = failing{err}
	}
	if err == nil && len(body) <= maxBody {
		rest, r.ContentLength = http.NoBody, int64(len(body))
		if e.body, err = plainBody(r, body); err != nil {
			e.seen.BodyLost = err.Error()
		}
	} else {
		e.seen.BodyLost = fmt.Sprintf("it is longer than %d bytes, or broke off", maxBody)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), whole}
}

func (g *Gateway) record(e *exchange) {
	e.seen.Took = g.sink.Now() - e.seen.Began
	if e.seen.Status >= http.StatusBadRequest {
		var status metav1.Status
		if json.Unmarshal(e.refusal, &status) == nil {
			e.seen.Message = status.Message
		}
	}
	if !recordable(e.seen) {
		e.body = nil
	}
	g.sink.Request(e.seen, e.step, e.body)
}

// recordable tells bodies of writes from what a delete or a review asks.
func recordable(q evidence.Request) bool {
	return q.Verb == "create" || q.Verb == "update" || q.Verb == "patch"
}

// before does what happens before a request goes on, and reports whether it is answered by that.
func (e *exchange) before(w *counter, r *http.Request) (answered bool) {
	ctx := r.Context()
	for _, a := range e.acts {
		if a.Before != nil {
			a.Before(ctx)
		}
		if a.Delay > 0 {
			wait(ctx, a.Delay, a.removed)
		}
		if a.Answer != nil && a.answer(w, r) {
			return true
		}
	}
	return false
}

// wait returns after a time, or once the client has given up or the interceptor is removed.
func wait(ctx context.Context, d time.Duration, removed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-removed:
	case <-ctx.Done():
	}
}

// answer gives the action's answer, and reports whether it did: a stall may end before the client gives up.
func (a act) answer(w *counter, r *http.Request) bool {
	switch a.Answer.Break {
	case "":
		for name, values := range a.Answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.Answer.Status)
		_, _ = w.Write(a.Answer.Body) // the client may be gone
		return true
	case wire.Stall:
		if stall(r.Context(), a.removed) == nil {
			return false
		}
	default:
		sever(r.Context(), a.Answer.Break)
	}
	w.exchange.seen.Error = "no answer: " + string(a.Answer.Break)
	panic(http.ErrAbortHandler)
}

// modify does what happens to the API server's answer before it goes back.
func modify(resp *http.Response) error {
	ctx := resp.Request.Context()
	e, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return nil
	}
	for _, a := range e.acts {
		if a.After != nil {
			a.After(ctx)
		}
		if err := a.onAnswer(ctx, resp, e.seen.Verb == "watch"); err != nil {
			return err
		}
	}
	return nil
}

// onAnswer reads an answer and does to it what the action says. If it is not to be given, its error says so.
func (a act) onAnswer(ctx context.Context, resp *http.Response, watch bool) error {
	if a.Read != nil && !(watch && resp.StatusCode == http.StatusOK) {
		body, err := whole(resp)
		if err != nil {
			return err
		}
		a.Read(resp.StatusCode, body)
	}
	if a.Response == nil {
		return nil
	}
	a.seen.Served = resp.StatusCode
	return a.alter(ctx, resp, watch)
}

// fail ends an exchange whose request could not be sent on, or whose answer is not to be given.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	counted, ok := w.(*counter)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	seen := &counted.exchange.seen
	var cut *severed
	switch {
	case errors.As(err, &cut):
		sever(r.Context(), cut.how)
	case r.Context().Err() != nil:
		seen.Error = "the client gave up"
	default:
		// The client sees what it would have seen of the API server: a connection that broke.
		seen.Error = "the API server did not answer: " + err.Error()
		sever(r.Context(), wire.Reset)
	}
	panic(http.ErrAbortHandler)
}

// sever breaks the connection that a request came by, with all else that is under way on it.
func sever(ctx context.Context, how wire.Break) {
	conn, ok := ctx.Value(connKey{}).(interface{ NetConn() net.Conn })
	if !ok {
		return
	}
	raw := conn.NetConn()
	switch how {
	case wire.Reset:
		if tcp, ok := raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // without that it would end in good order
		}
		_ = raw.Close()
	case wire.TLS:
		// A record that is not encrypted: no client of TLS takes it.
		_, _ = raw.Write([]byte{21, 3, 3, 0, 2, 2, 40})
	}
}

// counter records what a client is answered.
type counter struct {
	http.ResponseWriter
	exchange *exchange
}

// Unwrap lets http.ResponseController flush.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (c *counter) WriteHeader(status int) {
	if status >= http.StatusOK {
		c.exchange.seen.Status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *counter) Write(p []byte) (int, error) {
	s := &c.exchange.seen
	if s.Status >= http.StatusBadRequest {
		room := min(len(p), maxRefusal-len(c.exchange.refusal))
		c.exchange.refusal = append(c.exchange.refusal, p[:room]...)
	}
	n, err := c.ResponseWriter.Write(p)
	s.ResponseBytes += int64(n)
	if err != nil {
		s.Error = "the client is gone"
	}
	return n, err
}
