package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// event is what `go doc test2json` calls TestEvent, with the fields of build events.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

type summary struct {
	passed, failed int
	// broken counts packages that failed without a failing test: they did not build, panicked or ran out of time.
	broken int
	// skips are the skipped tests with their reasons.
	skips []string

	out io.Writer
	// running maps each package that has started and not ended to whether one of its tests failed.
	running map[string]bool
	// output is what each test, and under an empty name each package, has printed and nobody has shown yet.
	output map[[2]string][]string
}

func summarise(in io.Reader, out io.Writer) (*summary, error) {
	s := &summary{out: out, running: map[string]bool{}, output: map[[2]string][]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the output of go test: %w", err)
		}
	}
}

func (s *summary) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(s.out, line)
		return
	}
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "start":
		s.running[e.Package] = false
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "output":
		s.output[key] = append(s.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e)
		}
		delete(s.output, key)
	}
}

func (s *summary) endTest(e event) {
	output := s.output[[2]string{e.Package, e.Test}]
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.running[e.Package] = true
		fmt.Fprint(s.out, strings.Join(output, ""))
	case "skip":
		s.skips = append(s.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(output)))
	}
}

func (s *summary) endPackage(e event) {
	took := time.Duration(e.Elapsed * float64(time.Second)).Round(10 * time.Millisecond)
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.out, "ok    %s %v\n", e.Package, took)
	case "fail":
		// A test that never ended, since it panicked or ran out of time, has its output here still.
		for _, key := range slices.SortedFunc(maps.Keys(s.output), func(a, b [2]string) int { return strings.Compare(a[1], b[1]) }) {
			if key[0] == e.Package {
				fmt.Fprint(s.out, strings.Join(s.output[key], ""))
				delete(s.output, key)
			}
		}
		if !s.running[e.Package] {
			s.broken++
		}
		fmt.Fprintf(s.out, "FAIL  %s %v\n", e.Package, took)
	}
	delete(s.running, e.Package)
}

// problems says why the tests do not count as passed. With noSkips none may have been skipped, but for a reason that
// contains mayBe, if that is not empty.
func (s *summary) problems(noSkips bool, mayBe string) []string {
	var all []string
	forbidden := 0
	for _, skip := range s.skips {
		fmt.Fprintln(s.out, "skip ", skip)
		if noSkips && (mayBe == "" || !strings.Contains(skip, mayBe)) {
			forbidden++
		}
	}
	if s.failed > 0 {
		all = append(all, fmt.Sprintf("%d tests failed", s.failed))
	}
	if s.broken > 0 {
		all = append(all, fmt.Sprintf("%d packages did not build or broke off", s.broken))
	}
	for _, pkg := range slices.Sorted(maps.Keys(s.running)) {
		all = append(all, pkg+" started and never ended")
	}
	if s.passed == 0 && len(all) == 0 {
		all = append(all, "no test ran")
	}
	if forbidden > 0 {
		all = append(all, fmt.Sprintf("%d tests were skipped, and REHEARSE_NO_SKIPS=1 forbids that", forbidden))
	}
	return all
}

// reason finds the line that t.Skip printed: the last one that is no marker of the test framework.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "=== ") {
			return line
		}
	}
	return "no reason given"
}
