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
	"syscall"
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
	perEvent = 1000 // requests until each watch gets an event
)

// crowd is a server whose watches get an event each time it was asked for something else so many times.
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
		if c.asked.Add(1)%perEvent == 0 {
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

// measured is what a load came to.
type measured struct {
	rate float64       // requests a second
	cpu  time.Duration // of client, server and what is between them, for each request
	p99  time.Duration // of a hundred requests one takes longer
}

// String is one line.
func (m measured) String() string {
	return fmt.Sprintf("%6.0f requests/s, %s of CPU each (two cores carry %.0f/s), 99 of 100 within %s",
		m.rate, m.cpu.Round(time.Microsecond), 2/m.cpu.Seconds(), m.p99.Round(100*time.Microsecond))
}

// load opens the watches, and then asks as fast as it can.
func load(b *testing.B, client *http.Client, host string) measured {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	for range watches {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/apis/apps/v1/namespaces/ns/deployments?watch=true", nil)
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
	began, cpu := time.Now(), cpuTime(b)
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
	n := time.Duration(len(all))
	return measured{float64(n) / time.Since(began).Seconds(), (cpuTime(b) - cpu) / n, all[n*99/100]}
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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
	var through, direct measured
	for b.Loop() {
		through = throughGateway(b, straight)
		client, err := rest.HTTPClientFor(straight)
		if err != nil {
			b.Fatal(err)
		}
		direct = load(b, client, straight.Host)
	}
	kept := "kept"
	if through.rate < budget {
		kept = "MISSED"
	}
	b.ReportMetric(through.rate, "requests/s")
	b.ReportMetric(through.rate/direct.rate, "through/straight")
	b.Logf("\n%d watches open, %d CPUs, the last round\ngateway   %s; budget %d %s\nstraight  %s\nratio     %.2f of the rate",
		watches, runtime.GOMAXPROCS(0), through, budget, kept, direct, through.rate/direct.rate)
}

func throughGateway(b *testing.B, upstream *rest.Config) measured {
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
	m := load(b, client, g.RESTConfig().Host)
	if err := g.Close(); err != nil {
		b.Error(err)
	}
	if err := rec.Close(); err != nil {
		b.Error(err)
	}
	return m
}
