package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"rehearse.dev/rehearse/harness/wire"
)

// severed says that an answer is not to be given: the connection breaks.
type severed struct{ how wire.Break }

// Error implements error.
func (s *severed) Error() string { return "the answer was lost: " + string(s.how) }

// errCut ends an answer in its middle.
var errCut = errors.New("the answer was cut off")

// stall returns nil once the interceptor is removed, or an error once the client has given up.
func stall(ctx context.Context, removed <-chan struct{}) error {
	select {
	case <-removed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// changesAnswer reports whether an answer is read, or may get another content than the API server's.
func (e *exchange) changesAnswer() bool {
	return slices.ContainsFunc(e.acts, func(a act) bool {
		return a.Read != nil || a.Response != nil && (a.Response.Edit != nil || e.seen.Verb == "watch")
	})
}

// alter does to an answer what the action says. If it is not to be given, its error says so.
func (a act) alter(ctx context.Context, resp *http.Response, watch bool) error {
	r := a.Response
	switch {
	case r.Lost:
		a.done()
		if r.Break != wire.Stall {
			return &severed{r.Break}
		}
		return stall(ctx, a.removed)
	case watch && (r.Break == "" || resp.StatusCode != http.StatusOK):
		return nil
	case watch:
		left := r.Events
		body := a.breaking(ctx, resp.Body, func(data []byte) (int, bool) { return a.events(&left, data) })
		body.watch = true
		resp.Body = body
		return nil
	}
	return a.alterWhole(ctx, resp)
}

// done notes that the action takes place.
func (a act) done() {
	if a.Response.Break != "" {
		a.seen.Error = "the answer broke: " + string(a.Response.Break)
	}
	if a.Response.Done != nil {
		a.Response.Done()
	}
}

// alterWhole cuts the answer off in its middle, or puts another body in its place.
func (a act) alterWhole(ctx context.Context, resp *http.Response) error {
	body, err := whole(resp)
	if err != nil {
		return err
	}
	if a.Response.Break == "" && a.Response.Edit != nil {
		if edited, differs := a.Response.Edit(body); differs {
			body = edited
			setBody(resp, body)
			a.done()
		}
	}
	if a.Response.Break != "" {
		left := len(body) / 2
		resp.ContentLength = -1 // so that what passes is sent before the break
		resp.Body = a.breaking(ctx, resp.Body, func(data []byte) (int, bool) {
			pass := min(left, len(data))
			left -= pass
			return pass, left == 0
		})
	}
	return nil
}

// whole reads an answer, and leaves it to be read again.
func whole(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading the API server's answer: %w", err)
	}
	setBody(resp, body)
	return body, nil
}

func setBody(resp *http.Response, body []byte) {
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
}

// events is how much of a watch's data passes as long as events are left, and whether the break comes then. A stall comes
// only when there is something that it holds back.
func (a act) events(left *int, data []byte) (pass int, last bool) {
	for *left > 0 {
		end := bytes.IndexByte(data[pass:], '\n')
		if end < 0 {
			return len(data), false
		}
		pass += end + 1
		*left--
	}
	return pass, a.Response.Break != wire.Stall || pass < len(data)
}

// breaking is a body that breaks. That of a watch may end in good order, as API servers end watches all the time.
type breaking struct {
	io.ReadCloser
	watch bool
	// passes says how much of data passes, and whether the break comes then.
	passes func(data []byte) (n int, last bool)
	// follow returns what comes in place of the rest, of which held has been read.
	follow func(held []byte) io.Reader
	broken bool
	held   []byte
	rest   io.Reader
}

// breaking makes a body break as the action says.
func (a act) breaking(ctx context.Context, body io.ReadCloser, passes func([]byte) (int, bool)) *breaking {
	b := &breaking{ReadCloser: body, passes: passes}
	b.follow = func(held []byte) io.Reader {
		a.done()
		switch how := a.Response.Break; how {
		case wire.Stall:
			if err := stall(ctx, a.removed); err != nil {
				return failing{err}
			}
			return io.MultiReader(bytes.NewReader(held), body)
		case wire.Close:
			if !b.watch {
				return failing{errCut}
			}
			return bytes.NewReader(a.Response.Last)
		default:
			sever(ctx, how)
			return failing{errCut}
		}
	}
	return b
}

// Read implements io.Reader.
func (b *breaking) Read(into []byte) (int, error) {
	if b.broken && b.rest == nil {
		b.rest = b.follow(b.held)
	}
	if b.rest != nil {
		return b.rest.Read(into)
	}
	if _, last := b.passes(nil); last {
		b.broken = true
		return b.Read(into)
	}
	n, err := b.ReadCloser.Read(into)
	pass, last := b.passes(into[:n])
	if !last {
		return n, err
	}
	b.broken, b.held = true, bytes.Clone(into[pass:n])
	if pass > 0 {
		return pass, nil
	}
	return b.Read(into)
}

// failing is what is left of a body that broke off.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
