package fault

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/pki"
)

const (
	// hookLifetime is how long a webhook's certificate is valid; no run takes longer.
	hookLifetime = 7 * 24 * time.Hour
	// maxReview bounds a request to the webhook: an object and its predecessor, each of at most what etcd takes.
	maxReview = 16 << 20
)

// hookServer is where a webhook's requests go. The server of one that is down listens nowhere, but keeps its port, so that
// nobody else does.
type hookServer struct {
	url string
	ca  []byte
	// stop ends it, and waits until it has.
	stop func(context.Context) error
}

// hooked is told of each request that a webhook was asked about, and what it did to it.
type hooked func(asked *admissionv1.AdmissionRequest, did string)

// firesAt has a fault fire whenever its webhook is asked: at the request of Helm's, if it is about one, and then once. The API
// server asks again about a write that meets another one.
func firesAt(s *scene, helm *writing) hooked {
	var mu sync.Mutex
	fired := map[int64]bool{}
	return func(asked *admissionv1.AdmissionRequest, did string) {
		request := helm.of(evidence.Request{
			Group: asked.Resource.Group, Resource: asked.Resource.Resource, Subresource: asked.SubResource,
			Namespace: asked.Namespace, Name: asked.Name, Manager: managerOf(asked),
		})
		mu.Lock()
		again := fired[request.Number]
		fired[request.Number] = request.Number > 0
		mu.Unlock()
		if again {
			return
		}
		s.firedAt(request, evidence.Ref{
			Group: asked.Kind.Group, Version: asked.Kind.Version, Kind: asked.Kind.Kind, Namespace: asked.Namespace, Name: asked.Name,
		}, requestText(asked)+" "+did)
	}
}

// startHook starts a webhook's server at an address. The caller has to stop it.
func startHook(at string, spec v1alpha1.Webhook, fired hooked) (*hookServer, error) {
	pair, ca, err := certify(at)
	if err != nil {
		return nil, fmt.Errorf("making the webhook's certificate: %w", err)
	}
	if spec.Down {
		port, free, err := reservePort(at)
		if err != nil {
			return nil, fmt.Errorf("%w: no port of %s can be kept: %w", cluster.ErrUnsupported, at, err)
		}
		return &hookServer{url: hookURL(at, port), ca: ca, stop: func(context.Context) error { return free() }}, nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(at, "0"))
	if err != nil {
		return nil, fmt.Errorf("%w: the API server would reach this machine at %s, but nothing can listen there: %w", cluster.ErrUnsupported, at, err)
	}
	// Requests that are held up end with the server.
	serving, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler:           hookHandler(spec, fired),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return serving },
		ErrorLog:          log.New(io.Discard, "", 0), // a caller that hangs up is no news
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	stop := func(ctx context.Context) error {
		cancel()
		err := server.Shutdown(ctx)
		_ = server.Close() // what Shutdown had no time for
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		if err != nil {
			return fmt.Errorf("ending the webhook's server: %w", err)
		}
		return nil
	}
	return &hookServer{url: hookURL(at, listener.Addr().(*net.TCPAddr).Port), ca: ca, stop: stop}, nil
}

func hookURL(at string, port int) string {
	return "https://" + net.JoinHostPort(at, fmt.Sprint(port))
}

// hookHandler answers the API server. A probe is always refused, which shows that it came here.
func hookHandler(spec v1alpha1.Webhook, fired hooked) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /probe", answering(func(*http.Request, *admissionv1.AdmissionRequest) string { return "it is in effect" }))
	mux.HandleFunc("POST /requests", answering(func(r *http.Request, asked *admissionv1.AdmissionRequest) (refusal string) {
		did := "rejected"
		if spec.Slow != nil {
			did = "held up for " + spec.Slow.Duration.String()
		}
		fired(asked, did)
		if spec.Rejects != nil {
			return spec.Rejects.Message
		}
		timer := time.NewTimer(spec.Slow.Duration)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done(): // the API server waits no longer
		}
		return ""
	}))
	return mux
}

// requestText says what was asked for, and by whom.
func requestText(asked *admissionv1.AdmissionRequest) string {
	text := string(asked.Operation)
	if asked.SubResource != "" {
		text += " of " + asked.SubResource
	}
	if manager := managerOf(asked); manager != "" {
		text += " by " + manager
	}
	if asked.DryRun != nil && *asked.DryRun {
		text += " (dry run)"
	}
	return text
}

// managerOf is the field manager that a request states; empty if it states none.
func managerOf(asked *admissionv1.AdmissionRequest) string {
	var options struct{ FieldManager string }
	_ = json.Unmarshal(asked.Options.Raw, &options) // a deletion has other options
	return options.FieldManager
}

// answering adapts a decision to HTTP: what it returns is a refusal, unless it is empty.
func answering(decide func(*http.Request, *admissionv1.AdmissionRequest) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReview)).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "want an AdmissionReview with a request", http.StatusBadRequest)
			return
		}
		answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if refusal := decide(r, review.Request); refusal != "" {
			answer.Allowed = false
			answer.Result = &metav1.Status{Code: http.StatusForbidden, Message: refusal}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: answer}) // else the caller has gone
	}
}

// certify makes a certificate for an IP address, and says whose it is.
func certify(at string) (tls.Certificate, []byte, error) {
	ca, err := pki.New("rehearse webhook authority", hookLifetime)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	server, err := ca.Server("rehearse webhook", at)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.X509KeyPair(server.Cert, server.Key)
	return pair, ca.PEM, err
}
