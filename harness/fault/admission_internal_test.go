package fault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientfake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// ask sends a request to a webhook's server, as the API server does.
func ask(ctx context.Context, s *hookServer, path string) (*admissionv1.AdmissionResponse, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	review, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "1", Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Resource: metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, Namespace: "ns", Name: "backend",
		Operation: admissionv1.Update, Options: runtime.RawExtension{Raw: []byte(`{"fieldManager":"helm"}`)},
	}})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(review))
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer admissionv1.AdmissionReview
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Response, err
}

func deployment(number int64, name string) evidence.Request {
	return evidence.Request{Number: number, Verb: "patch", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "ns", Name: name, Manager: "helm"}
}

// TestWriting: a write is under way until it is answered, or until another one of the same object comes.
func TestWriting(t *testing.T) {
	t.Parallel()
	path := &heard{}
	w, stop := Site{Path: path}.follow()
	defer stop()
	first := path.intercept(deployment(1, "backend"))
	path.intercept(deployment(2, "frontend")) // and is never answered
	read := deployment(3, "db")
	read.Verb = "get"
	if path.intercept(read) != nil {
		t.Error("it looks at what only reads")
	}
	check := func(name string, want int64) {
		t.Helper()
		like := evidence.Request{Group: "apps", Resource: "deployments", Namespace: "ns", Name: name, Manager: "helm"}
		if got := w.of(like).Number; got != want {
			t.Errorf("of %s request %d is under way, want %d", name, got, want)
		}
		if like.Manager = "actor"; w.of(like).Number != 0 {
			t.Errorf("an actor's write of %s is taken for Helm's", name)
		}
	}
	check("backend", 1)
	check("frontend", 2)
	check("db", 0)
	first.Read(http.StatusOK, nil)
	path.intercept(deployment(4, "frontend"))
	check("backend", 0)
	check("frontend", 4)
	older := path.intercept(deployment(5, "db"))
	path.intercept(deployment(6, "db")) // a rival's
	older.Read(http.StatusOK, nil)
	check("db", 6)
}

// TestAfterRequest: what is to be done is done once, at the first request that fits, while its answer waits; not after stop.
func TestAfterRequest(t *testing.T) {
	t.Parallel()
	path, done := &heard{}, 0
	begin := func() (stop func()) {
		return Site{Path: path}.AfterRequest(v1alpha1.Match{Name: "backend"}, "f", func() { done++ })
	}
	stop := begin()
	read := deployment(1, "backend")
	read.Verb = "get"
	if path.intercept(read) != nil || path.intercept(deployment(2, "frontend")) != nil {
		t.Error("it acts at a request that does not fit")
	}
	action := path.intercept(deployment(3, "backend"))
	if action == nil || action.By != "f" || done != 0 {
		t.Fatalf("%+v, done %d times before the answer", action, done)
	}
	action.After(t.Context())
	path.intercept(deployment(4, "backend")).After(t.Context())
	if done != 1 {
		t.Errorf("done %d times", done)
	}
	stop()
	stop = begin()
	late := path.intercept(deployment(5, "backend"))
	stop()
	late.After(t.Context())
	if done != 1 {
		t.Errorf("done %d times, once after stop", done)
	}
	Site{}.AfterRequest(v1alpha1.Match{}, "f", nil)()
}

// heard is a path whose one interceptor the test asks.
type heard struct{ asked wire.Interceptor }

func (h *heard) Intercept(i wire.Interceptor) (remove func()) {
	h.asked = i
	return func() { h.asked = wire.InterceptorFunc(func(evidence.Request) *wire.Action { return nil }) }
}

func (h *heard) intercept(r evidence.Request) *wire.Action { return h.asked.Intercept(r) }

// TestQuotaHeard: what a quota refuses Helm is a firing at its request, also if Helm's own error does not say so, and is
// counted once.
func TestQuotaHeard(t *testing.T) {
	t.Parallel()
	var fired []string
	path := &heard{}
	s := &scene{
		Site: Site{Client: clientfake.NewClientset(), Path: path, Namespace: "ns"},
		Aim:  Aim{Targets: []evidence.Ref{{Kind: "Namespace", Name: "ns"}}, Undo: map[string]string{undoName: "full"}},
		firedAt: func(r evidence.Request, _ evidence.Ref, detail string) {
			fired = append(fired, fmt.Sprintf("%d: %s", r.Number, detail))
		},
		fired: func(_ evidence.Ref, detail string) { fired = append(fired, detail) },
	}
	q := &quota{spec: &v1alpha1.Quota{Hard: map[string]string{"pods": "1"}}, seen: map[types.UID]bool{}}
	if err := q.inject(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	refusal := `configmaps "a" is forbidden: exceeded quota: full, requested: count/configmaps=1`
	count := func(outcome error, want ...string) {
		t.Helper()
		if err := q.count(t.Context(), s, outcome); err != nil || !slices.Equal(fired, want) {
			t.Errorf("fired %q, %v, want %q", fired, err, want)
		}
		fired = nil
	}
	answered := func(number int64, status int, body string) {
		path.intercept(deployment(number, "a")).Read(status, []byte(body))
	}
	answered(1, http.StatusForbidden, "another reason")
	count(errors.New("object not found"))
	answered(2, http.StatusForbidden, refusal)
	count(errors.New("object not found"), "2: patch deployments/a: 403")
	answered(3, http.StatusForbidden, refusal)
	count(errors.New(refusal), "3: patch deployments/a: 403")
	count(errors.New(refusal), "refused a write of the operation: requested: count/configmaps=1") // an actor's
	if err := q.recover(t.Context(), s); err != nil || path.intercept(deployment(4, "a")) != nil {
		t.Errorf("it still listens, or %v", err)
	}
}

// TestTallyHeard: of what the API server counts, Helm's own are firings at its requests, and the others are the rest.
func TestTallyHeard(t *testing.T) {
	t.Parallel()
	metrics := "calls_total{name=\"hook\"} 5\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, metrics) }))
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var fired []string
	path := &heard{}
	s := &scene{
		Site: Site{Client: client, Path: path},
		Aim:  Aim{Targets: []evidence.Ref{{Kind: "Namespace", Name: "ns"}}},
		firedAt: func(r evidence.Request, _ evidence.Ref, detail string) {
			fired = append(fired, fmt.Sprintf("%d: %s", r.Number, detail))
		},
		fired: func(_ evidence.Ref, detail string) { fired = append(fired, detail) },
	}
	calls := tally{of: func(m sample) bool { return m.name == "calls_total" }}
	if err := calls.begin(t.Context(), s.Site); err != nil {
		t.Fatal(err)
	}
	defer calls.hear(s, "failed calling", "hook")()
	path.intercept(deployment(1, "a")).Read(http.StatusInternalServerError, []byte(`failed calling webhook \"hook\"`))
	path.intercept(deployment(2, "b")).Read(http.StatusInternalServerError, []byte("something else"))
	calls.pass()                               // a probe
	metrics = "calls_total{name=\"hook\"} 9\n" // one of them is the first decided once more
	if err := calls.count(t.Context(), s, "called in vain"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1: patch deployments/a: 500", "called in vain"}; !slices.Equal(fired, want) {
		t.Errorf("fired %q, want %q", fired, want)
	}
}

// TestHookServer: what each kind of webhook answers, and what it tells of it.
func TestHookServer(t *testing.T) {
	t.Parallel()
	helm := &writing{}
	helm.begin(deployment(7, "backend"))
	for name, test := range map[string]struct {
		spec    v1alpha1.Webhook
		path    string
		refusal string // empty: it is allowed
		fired   string
	}{
		"rejects": {v1alpha1.Webhook{Rejects: &v1alpha1.WebhookRejects{Message: "no"}}, "/requests", "no", "7: Deployment/backend UPDATE by helm rejected"},
		"slow":    {v1alpha1.Webhook{Slow: &metav1.Duration{Duration: time.Millisecond}}, "/requests", "", "7: Deployment/backend UPDATE by helm held up for 1ms"},
		"probe":   {v1alpha1.Webhook{Slow: &metav1.Duration{Duration: time.Hour}}, "/probe", "it is in effect", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fired string
			s, err := startHook("127.0.0.1", test.spec, firesAt(&scene{firedAt: func(r evidence.Request, of evidence.Ref, detail string) {
				fired = fmt.Sprintf("%d: %s %s", r.Number, of, detail)
			}}, helm))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := ask(t.Context(), s, test.path)
			if err := errors.Join(err, s.stop(t.Context())); err != nil {
				t.Fatal(err)
			}
			if answer.UID != "1" || answer.Allowed != (test.refusal == "") || !answer.Allowed && answer.Result.Message != test.refusal || fired != test.fired {
				t.Errorf("%+v, fired %q", answer, fired)
			}
			if _, err := ask(t.Context(), s, test.path); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("it still answers: %v", err)
			}
		})
	}
}

// TestHookServerStops: it does not wait for what it holds up.
func TestHookServerStops(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	s, err := startHook("127.0.0.1", v1alpha1.Webhook{Slow: &metav1.Duration{Duration: time.Hour}}, func(*admissionv1.AdmissionRequest, string) { close(held) })
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = ask(t.Context(), s, "/requests")
	}()
	<-held
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
	<-asked
}

// TestHookServerDown: nobody answers, and nobody else can take its place.
func TestHookServerDown(t *testing.T) {
	t.Parallel()
	s, err := startHook("127.0.0.1", v1alpha1.Webhook{Down: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), s, "/requests"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want the connection refused", err)
	}
	at := strings.TrimPrefix(s.url, "https://")
	if l, err := net.Listen("tcp", at); err == nil {
		t.Errorf("somebody else listens at %s", at)
		_ = l.Close()
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestHookServerUnreachable: an address that is none of this machine's is what a cluster cannot have.
func TestHookServerUnreachable(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		if _, err := startHook("192.0.2.1", v1alpha1.Webhook{Down: down}, nil); !errors.Is(err, cluster.ErrUnsupported) {
			t.Errorf("down %t: %v", down, err)
		}
	}
}

func TestParseSample(t *testing.T) {
	t.Parallel()
	m, ok := parseSample(`calls_total{name="a.b",operation="UPDATE",code="0"} 12`)
	if !ok || m.name != "calls_total" || m.value != 12 || m.labels["name"] != "a.b" || m.labels["code"] != "0" || len(m.labels) != 3 {
		t.Errorf("%+v, %t", m, ok)
	}
	for _, line := range []string{"", "# HELP x y", `# TYPE x{a="b"} counter`, "up 1", `x{a="b"} none`} {
		if m, ok := parseSample(line); ok {
			t.Errorf("%q: %+v", line, m)
		}
	}
}

// forbidden is what the API server says of an eviction that a budget forbids.
func forbidden(budget string) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type: policyv1.DisruptionBudgetCause, Message: "The disruption budget " + budget + " needs 1 healthy pods and has 1 currently",
	}}
	return err
}

// TestEvictPatiently: an eviction that a budget forbids is tried until it does not, and the budget's fault is told.
func TestEvictPatiently(t *testing.T) {
	t.Parallel()
	client := clientfake.NewClientset()
	tries := 0
	client.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		if tries++; tries < 3 {
			return true, nil, forbidden("guard")
		}
		return true, nil, nil
	})
	site := Site{Client: client, refusals: &refusals{listeners: map[string]func(evidence.Ref){}}}
	var told []string
	site.refusals.listen("guard", func(pod evidence.Ref) { told = append(told, pod.Name) })
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db-0", UID: "1"}}
	if err := evictPatiently(t.Context(), site, pod); err != nil || tries != 3 || !slices.Equal(told, []string{"db-0", "db-0"}) {
		t.Errorf("%v after %d tries, told of %q", err, tries, told)
	}
	tries = -100
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("out of time"))
	defer cancel()
	if err := evictPatiently(ctx, site, pod); err == nil || !strings.Contains(err.Error(), "out of time") || !apierrors.IsTooManyRequests(err) {
		t.Errorf("%v, want that it ran out of time, and why", err)
	}
}

// counting is a fake with firings that only who asks for them learns of.
type counting struct {
	fake
	outcomes []error
	err      error
}

func (c *counting) count(_ context.Context, s *scene, outcome error) error {
	c.outcomes = append(c.outcomes, outcome)
	s.fired(s.Targets[0], "counted")
	return c.err
}

// TestCount: firings are asked for while the fault is active, and once more before it recovers.
func TestCount(t *testing.T) {
	t.Parallel()
	var events record
	c, failed := &counting{}, errors.New("the operation failed")
	l := newLife(c, &events, Note{})
	l.Count(t.Context(), failed) // not yet
	if err := errors.Join(do(l, SetUp), do(l, Inject)); err != nil {
		t.Fatal(err)
	}
	l.Count(t.Context(), failed)
	c.err = errors.New("boom")
	if err := do(l, Recover); err != nil {
		t.Fatal(err)
	}
	l.Count(t.Context(), failed) // not any more
	want := []string{"injected", "fired 1", "fired 2", "fired 3", "failed count", "recovered"}
	if !slices.Equal(c.outcomes, []error{failed, nil}) || !slices.Equal(events.events, want) {
		t.Errorf("asked with %v, recorded %q, want %q", c.outcomes, events.events, want)
	}
}
