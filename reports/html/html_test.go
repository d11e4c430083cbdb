package html_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	parser "golang.org/x/net/html"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/html"
	"rehearse.dev/rehearse/reports/internal/page/pagetest"
	"rehearse.dev/rehearse/reports/internal/sample"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// The golden file holds what a reader of the sample's page reads, titles of the chart's parts included.
func TestWriteGolden(t *testing.T) {
	t.Parallel()
	page := write(t, sample.Run(), sampleBundles(t))
	got := strings.Join(pagetest.Texts(parse(t, page)), "\n") + "\n"
	const file = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update if that is right:\n%s", file, diff)
	}
	if again := write(t, sample.Run(), sampleBundles(t)); again != page {
		t.Error("the same run gives two different pages")
	}
}

func TestPageStandsAlone(t *testing.T) {
	t.Parallel()
	for _, problem := range pagetest.Outside(parse(t, write(t, sample.Run(), sampleBundles(t)))) {
		t.Error(problem)
	}
}

func TestNothingBecomesMarkup(t *testing.T) {
	t.Parallel()
	hostile := `</script><script>alert(1)</script><img src=x onerror=alert(1)>" onload="x`
	run := verdict.Run{ID: hostile, Args: []string{hostile}, CleanupErr: hostile, Variants: []verdict.Variant{{
		Scenario: hostile, Description: hostile, File: hostile, Status: verdict.Failed, Reason: hostile, Dir: "d",
		Verdicts: []verdict.Verdict{
			{Name: hostile, Kind: "step", Step: hostile, Status: verdict.Failed, Message: hostile},
			{Name: hostile, Kind: "live", Status: verdict.Status(hostile), Message: hostile, Evidence: []int64{1, 2, 99}},
		},
	}}}
	ref := evidence.Ref{Kind: hostile, Name: hostile}
	page := parse(t, write(t, run, func(string) (*evidence.Bundle, error) {
		return &evidence.Bundle{Truncated: []string{hostile}, Timeline: []evidence.Event{
			{Seq: 1, Step: hostile, Started: &evidence.StepStarted{Operation: hostile}},
			{Seq: 2, At: 1, Step: hostile, Transition: &evidence.Transition{Ref: ref, To: hostile, Message: hostile}},
			{Seq: 3, At: 2, Step: hostile, Finished: &evidence.StepFinished{Operation: hostile, Error: hostile}},
		}}, nil
	}))
	scripts := 0
	pagetest.Walk(page, func(n *parser.Node) {
		switch n.Data {
		case "script":
			scripts++
		case "img":
			t.Error("text of the run became an <img>")
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("text of the run became the attribute %s", a.Key)
			}
		}
	})
	if scripts != 1 {
		t.Errorf("the page has %d scripts, want its own alone", scripts)
	}
}

func TestMissingEvidenceIsTold(t *testing.T) {
	t.Parallel()
	page := write(t, sample.Run(), func(string) (*evidence.Bundle, error) { return nil, errors.New("timeline.jsonl:7: unexpected end") })
	if got := strings.Count(page, "No evidence is shown: timeline.jsonl:7: unexpected end"); got != 5 {
		t.Errorf("%d variants say that their evidence is missing, want 5", got)
	}
	if !strings.Contains(page, "expected exactly hpa") {
		t.Error("verdicts are missing beside the evidence")
	}
}

// A run of a thousand objects that flap must leave a page that a browser can open.
func TestPageStaysSmall(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{Timeline: []evidence.Event{{Seq: 1, Step: "v1", Started: &evidence.StepStarted{Operation: "install"}}}}
	for i := range 100_000 {
		at := time.Duration(i) * time.Millisecond
		ref := evidence.Ref{Kind: "Pod", Name: fmt.Sprint("p", i%1000)}
		e := evidence.Event{Seq: int64(i + 2), At: at, Step: "v1"}
		switch i % 7 {
		case 0:
			e.KubeEvent = &evidence.KubeEvent{Regarding: ref, Type: "Warning", Reason: "BackOff"}
		case 1:
			e.Gap = &evidence.Gap{Resource: "pods", Reason: "closed"}
		default:
			e.Transition = &evidence.Transition{Ref: ref, To: []string{"InProgress", "Current"}[i/1000%2]}
		}
		b.Timeline = append(b.Timeline, e)
	}
	run := verdict.Run{Variants: []verdict.Variant{{Scenario: "s", Status: verdict.Failed, Dir: "d"}}}
	page := write(t, run, func(string) (*evidence.Bundle, error) { return b, nil })
	if len(page) > 5<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if !strings.Contains(page, "and 960 more, in timeline.jsonl") {
		t.Error("the page does not say that lanes are left out")
	}
}

func sampleBundles(t *testing.T) func(string) (*evidence.Bundle, error) {
	t.Helper()
	dir := t.TempDir()
	if err := sample.WriteBundles(dir); err != nil {
		t.Fatal(err)
	}
	return func(name string) (*evidence.Bundle, error) { return evidence.Load(filepath.Join(dir, name)) }
}

func write(t *testing.T, run verdict.Run, open func(string) (*evidence.Bundle, error)) string {
	t.Helper()
	var b bytes.Buffer
	if err := html.Write(&b, run, open); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func parse(t *testing.T, page string) *parser.Node {
	t.Helper()
	root, err := parser.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}
