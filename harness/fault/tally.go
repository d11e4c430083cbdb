package fault

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"rehearse.dev/rehearse/harness/evidence"
)

// sample is one of the API server's metrics.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// tally counts firings that the API server alone sees, by its own counters.
type tally struct {
	of func(sample) bool

	mu sync.Mutex
	// seen is how far they had come when they were last looked at, and what has been seen otherwise since.
	seen int
	// heard counts what Helm was told of since.
	heard int
}

// begin takes note of where the counters stand.
func (t *tally) begin(ctx context.Context, s Site) error {
	now, err := t.read(ctx, s)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = now
	return err
}

// pass leaves out one that is known already, or that is no firing.
func (t *tally) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
}

// hear records those that Helm is told of as firings at its requests, until stop is called.
func (t *tally) hear(s *scene, says ...string) (stop func()) {
	return s.overhear(evidence.Request.Writes, func(a answer) {
		if a.status >= http.StatusBadRequest && a.says(says...) {
			t.pass()
			t.mu.Lock()
			t.heard++
			t.mu.Unlock()
			s.firedAt(a.Request, s.Targets[0], a.String())
		}
	})
}

// count records what came since and was not heard of, as firings. The API server decides once more about a write that met
// another one, and counts that too: each refusal that Helm was told of may stand for two.
func (t *tally) count(ctx context.Context, s *scene, detail string) error {
	now, err := t.read(ctx, s.Site)
	if err != nil {
		return err
	}
	t.mu.Lock()
	more := now - t.seen - t.heard
	t.seen, t.heard = max(t.seen, now), 0
	t.mu.Unlock()
	for range more {
		s.fired(s.Targets[0], detail)
	}
	return nil
}

func (t *tally) read(ctx context.Context, s Site) (int, error) {
	text, err := s.Client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	sum := 0.0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m, ok := parseSample(lines.Text()); ok && t.of(m) {
			sum += m.value
		}
	}
	return int(sum), lines.Err()
}

// parseSample reads a line of Prometheus' text format. Values of labels with escapes in them are none that we look for.
func parseSample(line string) (sample, bool) {
	name, rest, ok := strings.Cut(line, "{")
	if !ok || strings.HasPrefix(line, "#") {
		return sample{}, false
	}
	labels, value, ok := strings.Cut(rest, "} ")
	if !ok {
		return sample{}, false
	}
	m := sample{name: name, labels: map[string]string{}}
	for pair := range strings.SplitSeq(labels, `",`) {
		key, text, _ := strings.Cut(pair, `="`)
		m.labels[key] = strings.TrimSuffix(text, `"`)
	}
	var err error
	m.value, err = strconv.ParseFloat(value, 64)
	return m, err == nil
}
