package release

import (
	"context"
	"io"
	"net/http"
)

// fenced makes transports that fail every request, also one under way, once ctx has ended.
func fenced(ctx context.Context) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			both, cancel := context.WithCancelCause(req.Context())
			stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
			release := func() { stop(); cancel(nil) }
			resp, err := next.RoundTrip(req.WithContext(both))
			if err != nil {
				release()
				return nil, err
			}
			resp.Body = &fencedBody{ReadCloser: resp.Body, release: release}
			return resp, nil
		})
	}
}

// roundTripper is a function that is an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// fencedBody keeps a request's context until its answer has been read: a watch is one long answer.
type fencedBody struct {
	io.ReadCloser
	release func()
}

// Close implements io.Closer.
func (b *fencedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
