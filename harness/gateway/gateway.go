package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// maxStreams is how many requests a client may have under way on one connection of HTTP/2, watches included.
const maxStreams = 1000

// headerBound is how long a client may take to say what it wants.
const headerBound = 10 * time.Second

// Sink takes evidence; evidence.Recorder is one.
type Sink interface {
	// Now is the time on the evidence's clock, Step the step under way.
	Now() time.Duration
	Step() string
	Request(q evidence.Request, step string, body []byte) int64
}

// Gateway is one proxy. It is safe for concurrent use, and implements wire.Path.
type Gateway struct {
	id       *Identity
	address  string
	sink     Sink
	server   *http.Server
	proxy    *httputil.ReverseProxy
	upstream *url.URL
	served   chan struct{} // closed once the listener is
	under    sync.WaitGroup

	mu           sync.Mutex // guards what follows, and is held while interceptors are asked
	seq          int64
	closed       bool
	interceptors []*interception
}

// interception is an interceptor until it is removed.
type interception struct {
	wire.Interceptor
	removed chan struct{}
}

// Open lets clients with the identity reach the API server that upstream reaches, with upstream's rights, until Close.
func Open(upstream *rest.Config, id *Identity, sink Sink) (*Gateway, error) {
	target, _, err := rest.DefaultServerUrlFor(upstream)
	if err != nil {
		return nil, fmt.Errorf("opening a gateway to %s: %w", upstream.Host, err)
	}
	transport, err := transportTo(upstream)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a gateway to %s: %w", upstream.Host, err)
	}
	g := &Gateway{
		id: id, address: listener.Addr().String(), sink: sink, upstream: target, served: make(chan struct{}),
	}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: g.rewrite, Transport: transport, ModifyResponse: modify, ErrorHandler: fail,
		ErrorLog: log.New(io.Discard, "", 0), BufferPool: &buffers{},
	}
	g.server = &http.Server{
		Handler: g, ReadHeaderTimeout: headerBound, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{id.server},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: id.authority,
		},
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	go func() {
		defer close(g.served)
		_ = g.server.ServeTLS(listener, "", "") // it ends by Close alone
	}()
	return g, nil
}

// transportTo keeps the user agent that Helm sends, and shares connections with the harness's other clients of that API
// server.
func transportTo(upstream *rest.Config) (http.RoundTripper, error) {
	cfg := rest.CopyConfig(upstream)
	cfg.UserAgent, cfg.QPS = "", -1
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening a gateway to %s: %w", upstream.Host, err)
	}
	return transport, nil
}

// rewrite sends a request on. It asks for answers that are not compressed: between two programs on one machine that takes
// longer than it saves, and what passes can be read.
func (g *Gateway) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(g.upstream)
	r.Out.Header.Set("Accept-Encoding", "identity")
	if e, ok := r.In.Context().Value(exchangeKey{}).(*exchange); ok && e.changesAnswer() {
		askForJSON(r.Out.Header)
	}
}

// RESTConfig returns a new client configuration that reaches the API server through the gateway.
func (g *Gateway) RESTConfig() *rest.Config {
	return &rest.Config{
		Host:            "https://" + g.address,
		TLSClientConfig: rest.TLSClientConfig{CAData: g.id.caPEM, CertData: g.id.client.Cert, KeyData: g.id.client.Key},
	}
}

// WriteKubeconfig writes a kubeconfig file that reaches the API server through the gateway, for child processes. It holds
// a key, so nobody else may read it. Requests by it are made as user, or as
// an administrator if that is empty.
func (g *Gateway) WriteKubeconfig(path, namespace, user string) error {
	const name = "gateway"
	cfg := api.NewConfig()
	cfg.Clusters[name] = &api.Cluster{Server: "https://" + g.address, CertificateAuthorityData: g.id.caPEM}
	cfg.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: g.id.client.Cert, ClientKeyData: g.id.client.Key, Impersonate: user}
	cfg.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	cfg.CurrentContext = name
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		return fmt.Errorf("writing a kubeconfig file for the gateway: %w", err)
	}
	return nil
}

// Intercept implements wire.Path.
func (g *Gateway) Intercept(i wire.Interceptor) (remove func()) {
	it := &interception{i, make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.interceptors = append(g.interceptors, it)
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.interceptors = slices.DeleteFunc(g.interceptors, func(other *interception) bool { return other == it })
		close(it.removed)
	})
}

// Close cuts all connections and returns once every request is recorded. It may be called again.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	err := g.server.Close()
	<-g.served
	g.under.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing the gateway at %s: %w", g.address, err)
	}
	return nil
}

// enter numbers a request and asks the interceptors what becomes of it; it reports whether the gateway is open.
func (g *Gateway) enter(e *exchange) (open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.under.Add(1)
	g.seq++
	e.seen.Number = g.seq
	asked := e.seen
	for _, i := range g.interceptors {
		action := i.Intercept(asked)
		if action == nil {
			continue
		}
		e.acts = append(e.acts, act{Action: action, removed: i.removed, seen: &e.seen})
		if action.By != "" && !slices.Contains(e.seen.Faults, action.By) {
			e.seen.Faults = append(e.seen.Faults, action.By)
		}
		if action.Answer != nil || action.Response != nil {
			break
		}
	}
	return true
}

// buffers lends ReverseProxy what it copies with.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
