package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/gateway"
)

// What BenchmarkGateway carries, and has to carry.
const (
	watches  = 1000
	requests = 10000
	workers  = 16
	budget   = 2000 // requests a second
)

// crowd is a server whose watches get an event each time somebody asks for something else a hundred times.
type crowd struct {
	mu    sync.Mutex
	event chan struct{} // closed at an event
	asked atomic.Int64
}

// ServeHTTP implements http.Handler.
func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") == "" {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"kind":"Deployment","filler":"`+strings.Repeat("x", 3000)+`"}`)
		if c.asked.Add(1)%100 == 0 {
			c.mu.Lock()
			close(c.event)
			c.event = make(chan struct{})
			c.mu.Unlock()
		}
		return
	}
	flush := http.NewResponseController(w)
	for {
		c.mu.Lock()
		next := c.event
		c.mu.Unlock()
		_, _ = io.WriteString(w, `{"type":"MODIFIED","object":{}}`+"\n")
		_ = flush.Flush()
		select {
		case <-next:
		case <-r.Context().Done():
			return
		}
	}
}

// load opens the watches, and then asks as fast as it can. It returns the requests a second and the slowest of each
// hundred.
func load(b *testing.B, client *http.Client, host string) (rate float64, p99 time.Duration) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	for range watches {
		req, err := http.NewRequestWithContext(ctx, "GET", host+"/apis/apps/v1/namespaces/ns/deployments?watch=true", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		watching.Go(func() {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		})
	}
	body := `{"kind":"Deployment","metadata":{"name":"web"},"filler":"` + strings.Repeat("y", 1500) + `"}`
	var took [workers][]time.Duration
	var asking sync.WaitGroup
	began := time.Now()
	for worker := range workers {
		asking.Go(func() {
			for i := range requests / workers {
				method := []string{"GET", "PATCH"}[i%2]
				start := time.Now()
				_, _, err := fetch(ctx, client, method, host+"/apis/apps/v1/namespaces/ns/deployments/web?fieldManager=helm", body)
				if err != nil {
					b.Error(err)
					return
				}
				took[worker] = append(took[worker], time.Since(start))
			}
		})
	}
	asking.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took[:]...)))
	return float64(len(all)) / time.Since(began).Seconds(), all[len(all)*99/100]
}

// BenchmarkGateway holds a thousand watches open and asks as fast as it can beside them: through a gateway that records
// everything, and straight. Client, gateway and server share this process and its cores.
func BenchmarkGateway(b *testing.B) {
	c := &crowd{event: make(chan struct{})}
	server := httptest.NewUnstartedServer(c)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	straight := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	var through, direct float64
	var slow, slowDirect time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		rate, p99 := throughGateway(b, straight)
		through, slow = through+rate, max(slow, p99)
		client, err := rest.HTTPClientFor(straight)
		if err != nil {
			b.Fatal(err)
		}
		rate, p99 = load(b, client, straight.Host)
		direct, slowDirect = direct+rate, max(slowDirect, p99)
	}
	through, direct = through/float64(rounds), direct/float64(rounds)
	kept := "kept"
	if through < budget {
		kept = "MISSED"
	}
	b.ReportMetric(through, "requests/s")
	b.ReportMetric(through/direct, "through/straight")
	b.Logf("\n%d watches open, means of %d, %d CPUs\n"+
		"              gateway  straight  ratio  budget\n"+
		"requests/s    %7.0f  %8.0f  %5.2f  %d %s\n"+
		"99 of 100 in  %7s  %8s",
		watches, rounds, runtime.GOMAXPROCS(0), through, direct, through/direct, budget, kept,
		slow.Round(100*time.Microsecond), slowDirect.Round(100*time.Microsecond))
}

func throughGateway(b *testing.B, upstream *rest.Config) (rate float64, p99 time.Duration) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano()))
	rec, err := evidence.Create(dir, evidence.Variant{Scenario: "s"})
	if err != nil {
		b.Fatal(err)
	}
	id, err := gateway.NewIdentity()
	if err != nil {
		b.Fatal(err)
	}
	g, err := gateway.Open(upstream, id, rec)
	if err != nil {
		b.Fatal(err)
	}
	client, err := rest.HTTPClientFor(g.RESTConfig())
	if err != nil {
		b.Fatal(err)
	}
	rate, p99 = load(b, client, g.RESTConfig().Host)
	if err := g.Close(); err != nil {
		b.Error(err)
	}
	if err := rec.Close(); err != nil {
		b.Error(err)
	}
	return rate, p99
}
