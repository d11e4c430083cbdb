package release

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFence(t *testing.T) {
	t.Parallel()
	fell := errors.New("the fence fell")
	arrived := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream": // an answer that does not end
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/hang": // no answer
			arrived <- struct{}{}
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	get := func(client *http.Client, path string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(req)
	}

	ctx, fall := context.WithCancelCause(t.Context())
	client := &http.Client{Transport: fenced(ctx)(http.DefaultTransport)}
	resp, err := get(client, "/")
	if err != nil {
		t.Fatalf("a request before the fence fell: %v", err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	stream, err := get(client, "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	hanging := make(chan error, 1)
	go func() {
		_, err := get(client, "/hang")
		hanging <- err
	}()
	<-arrived
	fall(fell)
	if _, err := io.ReadAll(stream.Body); err == nil {
		t.Error("an answer under way ended without an error")
	}
	if err := <-hanging; err == nil {
		t.Error("a request under way succeeded")
	}
	if _, err := get(client, "/"); !errors.Is(err, fell) {
		t.Errorf("a request after the fence fell: got error %v, want %v", err, fell)
	}
}
