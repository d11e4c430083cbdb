package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/gateway"
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
