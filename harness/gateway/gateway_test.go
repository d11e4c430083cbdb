package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/gateway"
	"rehearse.dev/rehearse/harness/wire"
)

func TestMain(m *testing.M) {
	// client-go keeps idle connections of transports that it caches.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"))
}

// site is a gateway with a server behind it that is none of Kubernetes: it tells what it was asked.
type site struct {
	*testing.T
	*gateway.Gateway
	dir  string
	rec  *evidence.Recorder
	mu   sync.Mutex
	seen []string // what the server was asked
	// more lets a watch have its next event.
	more chan string
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, dir: filepath.Join(t.TempDir(), "bundle"), more: make(chan string, 10)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	var err error
	if s.rec, err = evidence.Create(s.dir, evidence.Variant{Scenario: "s"}); err != nil {
		t.Fatal(err)
	}
	s.rec.SetStep("v2")
	id, err := gateway.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if s.Gateway, err = gateway.Open(&rest.Config{Host: server.URL}, id, s.rec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.rec.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+string(body))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Query().Get("watch") != "":
		w.WriteHeader(http.StatusOK)
		flush := http.NewResponseController(w)
		_ = flush.Flush()
		for {
			select {
			case event := <-s.more:
				_, _ = io.WriteString(w, event+"\n")
				_ = flush.Flush()
			case <-r.Context().Done():
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/missing"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","status":"Failure","message":"pods \"missing\" not found"}`)
	default:
		_, _ = io.WriteString(w, `{"kind":"List","items":[1,2,3]}`)
	}
}

func (s *site) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// client speaks HTTP/2, or HTTP/1.1 alone.
func (s *site) client(http1 bool) *http.Client {
	s.Helper()
	cfg := s.RESTConfig()
	if http1 {
		cfg.NextProtos = []string{"http/1.1"}
	}
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		s.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: tlsConfig, ForceAttemptHTTP2: !http1}
	s.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// requests are those that were recorded, once the gateway is closed.
func (s *site) requests() []evidence.Request {
	s.Helper()
	if err := errors.Join(s.Close(), s.rec.Close()); err != nil {
		s.Fatal(err)
	}
	b, err := evidence.Load(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	var all []evidence.Request
	for _, e := range b.Timeline {
		if e.Request != nil {
			if e.Step != "v2" {
				s.Errorf("%s is in step %q", e.Request, e.Step)
			}
			all = append(all, *e.Request)
		}
	}
	return all
}

// fetch returns status, body and what went wrong.
func fetch(ctx context.Context, c *http.Client, method, url, body string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(read), err
}

// bothProtocols runs a test over HTTP/1.1 and over HTTP/2.
func bothProtocols(t *testing.T, test func(*testing.T, *site, *http.Client)) {
	t.Helper()
	for name, http1 := range map[string]bool{"HTTP1": true, "HTTP2": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			test(t, s, s.client(http1))
		})
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		const pods = "/api/v1/namespaces/ns/pods"
		for _, r := range [][2]string{
			{"POST", pods + "?fieldManager=helm"},
			{"PATCH", "/apis/apps/v1/namespaces/ns/deployments/web/scale?fieldManager=helm&force=true&dryRun=All"},
			{"GET", pods + "/missing"},
		} {
			if _, _, err := fetch(t.Context(), c, r[0], s.RESTConfig().Host+r[1], `{"metadata":{"name":"web"}}`); err != nil {
				t.Fatal(err)
			}
		}
		all := s.requests()
		if len(all) != 3 {
			t.Fatalf("recorded %d requests", len(all))
		}
		if q := all[0]; q.String() != "create pods/web" || q.Manager != "helm" || !q.Writes() || q.Status != 200 || !q.Body || q.RequestBytes != 27 || q.ResponseBytes != 31 || q.Took <= 0 {
			t.Errorf("%+v", q)
		}
		if q := all[1]; q.String() != "patch deployments/web (scale)" || q.Group != "apps" || !q.Force || !q.DryRun || q.Writes() {
			t.Errorf("%+v", q)
		}
		if q := all[2]; q.Status != 404 || q.Message != `pods "missing" not found` || q.Body {
			t.Errorf("%+v", q)
		}
	})
}

// TestProtobuf: Helm writes its records in protobuf, and their names and bodies are evidence all the same.
func TestProtobuf(t *testing.T) {
	t.Parallel()
	s := open(t)
	cfg := s.RESTConfig()
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Data: map[string]string{"key": "value"}}
	_, _ = client.CoreV1().ConfigMaps("ns").Create(t.Context(), config, metav1.CreateOptions{}) // the answer is no ConfigMap
	all := s.requests()
	if len(all) != 1 || all[0].Name != "c" {
		t.Fatalf("%+v", all)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, evidence.RequestsFile))
	if err != nil || !strings.Contains(string(text), `"data":{"key":"value"}`) {
		t.Errorf("%s %v", text, err)
	}
}

// TestLongBody: what is longer than any API server takes goes through all the same.
func TestLongBody(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		long := strings.Repeat("x", 5<<20)
		if _, _, err := fetch(t.Context(), c, "POST", s.RESTConfig().Host+"/api/v1/namespaces/ns/pods", long); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(s.seen[0], " "+long) {
			t.Error("it did not arrive whole")
		}
		if q := s.requests()[0]; q.Body || q.BodyLost == "" || q.RequestBytes != 5<<20 {
			t.Errorf("%+v", q)
		}
	})
}

// TestStrangers: behind a gateway is an administrator's access.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := open(t)
	cfg := s.RESTConfig()
	cfg.CertData, cfg.KeyData = nil, nil
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := fetch(t.Context(), client, "GET", cfg.Host+"/version", ""); err == nil || s.asked() > 0 {
		t.Errorf("without a certificate it answers %d", status)
	}
}

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	s := open(t)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.WriteKubeconfig(path, "ns", ""); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := fetch(t.Context(), client, "GET", cfg.Host+"/version", ""); err != nil || status != http.StatusOK {
		t.Errorf("%d %v", status, err)
	}
}

// once gives every request the same action.
func always(a *wire.Action) wire.Interceptor {
	return wire.InterceptorFunc(func(wire.Request) *wire.Action { return a })
}

func TestActions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		action wire.Action
		// want is a part of the error or of the body; reached tells whether the server was asked.
		status  int
		want    string
		reached bool
	}{
		"answer": {wire.Action{Answer: &wire.Answer{Status: 429, Header: http.Header{"Retry-After": {"1"}}, Body: []byte("busy")}}, 429, "busy", false},
		// Of a reset a client is told once, be it as it writes or as it reads: the error need not say that it was one.
		"reset":    {wire.Action{Answer: &wire.Answer{Break: wire.Reset}}, 0, "", false},
		"tls":      {wire.Action{Answer: &wire.Answer{Break: wire.TLS}}, 0, "tls: ", false},
		"close":    {wire.Action{Answer: &wire.Answer{Break: wire.Close}}, 0, "", false},
		"lost":     {wire.Action{Response: &wire.Response{Break: wire.Reset, Lost: true}}, 0, "", true},
		"cut":      {wire.Action{Response: &wire.Response{Break: wire.Close}}, 200, "", true},
		"cut hard": {wire.Action{Response: &wire.Response{Break: wire.Reset}}, 200, "", true},
		"edited":   {wire.Action{Response: &wire.Response{Edit: func([]byte) ([]byte, bool) { return []byte("other"), true }}}, 200, "other", true},
		"delayed":  {wire.Action{Delay: time.Millisecond}, 200, `[1,2,3]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
				var happened []string
				note := func(what string) func(context.Context) {
					return func(context.Context) { happened = append(happened, what) }
				}
				action := test.action
				action.By, action.Before, action.After = "f", note("before"), note("after")
				if action.Response != nil {
					response := *action.Response // both protocols share the table's
					response.Done = func() { note("done")(nil) }
					action.Response = &response
				}
				defer s.Intercept(always(&action))()
				status, text, err := fetch(t.Context(), c, "PATCH", s.RESTConfig().Host+"/api/v1/namespaces/ns/pods/p", "{}")
				if err != nil {
					text = err.Error()
				}
				if status != test.status && err == nil || !strings.Contains(text, test.want) {
					t.Errorf("it got %d, %q", status, text)
				}
				broken := action.Answer != nil && action.Answer.Break != "" || action.Response != nil && action.Response.Break != ""
				if broken != (err != nil) {
					t.Errorf("error %v", err)
				}
				if reached := s.asked() > 0; reached != test.reached {
					t.Errorf("the server was asked: %v", reached)
				}
				q := s.requests()[0]
				if broken != (q.Error != "") || strings.Join(q.Faults, "") != "f" {
					t.Errorf("recorded %+v", q)
				}
				want := []string{"before"}
				if test.reached {
					want = append(want, "after")
				}
				if action.Response != nil {
					want = append(want, "done")
				}
				if got := strings.Join(happened, " "); got != strings.Join(want, " ") {
					t.Errorf("what ran: %s", got)
				}
			})
		})
	}
}

// TestStalls: what stalls goes on when the interceptor is removed, and ends when the client gives up.
func TestStalls(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]*wire.Action{
		"request":  {Answer: &wire.Answer{Break: wire.Stall}},
		"response": {Response: &wire.Response{Break: wire.Stall}},
		"lost":     {Response: &wire.Response{Break: wire.Stall, Lost: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
				url := s.RESTConfig().Host + "/api/v1/namespaces/ns/pods/p"
				stalled := make(chan struct{}, 2)
				remove := s.Intercept(wire.InterceptorFunc(func(wire.Request) *wire.Action {
					stalled <- struct{}{}
					return action
				}))
				impatient, giveUp := context.WithCancel(t.Context())
				go func() {
					<-stalled
					giveUp()
				}()
				if _, _, err := fetch(impatient, c, "GET", url, ""); !errors.Is(err, context.Canceled) {
					t.Errorf("who gives up gets %v", err)
				}
				go func() {
					<-stalled
					remove()
				}()
				if status, text, err := fetch(t.Context(), c, "GET", url, ""); err != nil || status != 200 || !strings.HasSuffix(text, "[1,2,3]}") {
					t.Errorf("who waits gets %d %q %v", status, text, err)
				}
			})
		})
	}
}

// watched reads a watch's events to its end.
func watched(ctx context.Context, c *http.Client, url string) (string, error) {
	_, text, err := fetch(ctx, c, "GET", url, "")
	return text, err
}

func TestWatches(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		url := s.RESTConfig().Host + "/api/v1/namespaces/ns/pods?watch=true"
		for i := range 4 {
			s.more <- fmt.Sprint(i)
		}
		remove := s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Close, Events: 2, Last: []byte("gone\n")}}))
		if text, err := watched(t.Context(), c, url); err != nil || text != "0\n1\ngone\n" {
			t.Errorf("a watch that expires has %q, %v", text, err)
		}
		remove()
		remove = s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Close}}))
		if text, err := watched(t.Context(), c, url); err != nil || text != "" {
			t.Errorf("a watch that is dropped at once has %q, %v", text, err)
		}
		remove()
		remove = s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Reset}}))
		if text, err := watched(t.Context(), c, url); err == nil {
			t.Errorf("a watch that is reset has %q", text)
		}
		remove()
	})
}

// TestSilentWatch: a silent watch holds back what comes, and fires only if something does.
func TestSilentWatch(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, s *site, c *http.Client) {
		fired := make(chan struct{})
		remove := s.Intercept(always(&wire.Action{Response: &wire.Response{Break: wire.Stall, Events: 1, Done: func() { close(fired) }}}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.RESTConfig().Host+"/api/v1/pods?watch=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		events := json.NewDecoder(resp.Body)
		next := func() (n int) {
			if err := events.Decode(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		s.more <- "1"
		if n := next(); n != 1 {
			t.Errorf("first %d", n)
		}
		select {
		case <-fired:
			t.Error("it fired, though nothing was held back")
		default:
		}
		s.more <- "2"
		<-fired
		remove()
		if n := next(); n != 2 {
			t.Errorf("then %d", n)
		}
	})
}

// TestNoAnswer: an API server that is gone looks like one.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + listener.Addr().String()
	_ = listener.Close()
	id, err := gateway.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t)
	g, err := gateway.Open(&rest.Config{Host: gone}, id, s.rec)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	client, err := rest.HTTPClientFor(g.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := fetch(t.Context(), client, "GET", g.RESTConfig().Host+"/version", ""); err == nil {
		t.Errorf("it answers %d", status)
	}
}

// TestOrder: interceptors are asked in their order, and not beyond one that answers.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	var asked []string
	add := func(name string, a *wire.Action) {
		s.Intercept(wire.InterceptorFunc(func(wire.Request) *wire.Action {
			asked = append(asked, name)
			return a
		}))
	}
	add("silent", nil)
	add("slow", &wire.Action{Delay: time.Nanosecond})
	add("answers", &wire.Action{Answer: &wire.Answer{Status: 500}})
	add("late", nil)
	if _, _, err := fetch(t.Context(), s.client(false), "GET", s.RESTConfig().Host+"/version", ""); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "silent slow answers" {
		t.Errorf("asked: %s", got)
	}
}
