package fault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
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
	clientfake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
)

// ask sends a request to a webhook's server, as the API server does.
func ask(ctx context.Context, s *hookServer, path string) (*admissionv1.AdmissionResponse, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	review, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "1", Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespace: "ns", Name: "backend",
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

// TestHookServer: what each kind of webhook answers, and what it tells of it.
func TestHookServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spec    v1alpha1.Webhook
		path    string
		refusal string // empty: it is allowed
		fired   string
	}{
		"rejects": {v1alpha1.Webhook{Rejects: &v1alpha1.WebhookRejects{Message: "no"}}, "/requests", "no", "Deployment/backend UPDATE by helm rejected"},
		"slow":    {v1alpha1.Webhook{Slow: &metav1.Duration{Duration: time.Millisecond}}, "/requests", "", "Deployment/backend UPDATE by helm held up for 1ms"},
		"probe":   {v1alpha1.Webhook{Slow: &metav1.Duration{Duration: time.Hour}}, "/probe", "it is in effect", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fired string
			s, err := startHook("127.0.0.1", test.spec, func(of evidence.Ref, detail string) { fired = of.String() + " " + detail })
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
	s, err := startHook("127.0.0.1", v1alpha1.Webhook{Slow: &metav1.Duration{Duration: time.Hour}}, func(evidence.Ref, string) { close(held) })
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
