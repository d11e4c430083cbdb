package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	t.Parallel()
	const (
		start = `{"Action":"start","Package":"p"}` + "\n"
		pass  = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
		ended = `{"Action":"pass","Package":"p","Elapsed":1.234}` + "\n"
		skip  = `{"Action":"output","Package":"p","Test":"TestS","Output":"    s_test.go:3: needs Docker\n"}` + "\n" +
			`{"Action":"output","Package":"p","Test":"TestS","Output":"--- SKIP: TestS (0.00s)\n"}` + "\n" +
			`{"Action":"skip","Package":"p","Test":"TestS"}` + "\n"
		fail = `{"Action":"output","Package":"p","Test":"TestF","Output":"    f_test.go:9: got 1, want 2\n"}` + "\n" +
			`{"Action":"fail","Package":"p","Test":"TestF"}` + "\n"
		failed = `{"Action":"fail","Package":"p","Elapsed":1}` + "\n"
	)
	for name, test := range map[string]struct {
		in      string
		noSkips bool
		mayBe   string
		// printed must occur in the output.
		printed  string
		problems []string
	}{
		"passed":              {in: start + pass + ended, printed: "ok    p 1.23s"},
		"failed":              {in: start + pass + fail + failed, printed: "f_test.go:9: got 1, want 2", problems: []string{"1 tests failed"}},
		"skipped":             {in: start + pass + skip + ended, printed: "skip  p TestS: s_test.go:3: needs Docker"},
		"skipped, forbidden":  {in: start + pass + skip + ended, noSkips: true, problems: []string{"1 tests were skipped, and REHEARSE_NO_SKIPS=1 forbids that"}},
		"skipped, allowed":    {in: start + pass + skip + ended, noSkips: true, mayBe: "needs Docker"},
		"skipped otherwise":   {in: start + pass + skip + ended, noSkips: true, mayBe: "needs podman", problems: []string{"1 tests were skipped, and REHEARSE_NO_SKIPS=1 forbids that"}},
		"nothing":             {in: "", problems: []string{"no test ran"}},
		"no JSON":             {in: "go: cannot find main module\n", printed: "go: cannot find main module", problems: []string{"no test ran"}},
		"cut off":             {in: start + pass, problems: []string{"p started and never ended"}},
		"does not build":      {in: `{"Action":"build-output","ImportPath":"p","Output":"x.go:1: undefined: y\n"}` + "\n" + start + failed, printed: "undefined: y", problems: []string{"1 packages did not build or broke off"}},
		"panics in a test":    {in: start + `{"Action":"output","Package":"p","Test":"TestP","Output":"panic: boom\n"}` + "\n" + failed, printed: "panic: boom", problems: []string{"1 packages did not build or broke off"}},
		"other package fails": {in: start + pass + ended + strings.ReplaceAll(start+failed, `"p"`, `"q"`), printed: "FAIL  q", problems: []string{"1 packages did not build or broke off"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			sum, err := summarise(strings.NewReader(test.in), &out)
			if err != nil {
				t.Fatal(err)
			}
			if got := sum.problems(test.noSkips, test.mayBe); !slices.Equal(got, test.problems) {
				t.Errorf("problems = %q, want %q", got, test.problems)
			}
			if !strings.Contains(out.String(), test.printed) {
				t.Errorf("output lacks %q:\n%s", test.printed, out.String())
			}
		})
	}
}
