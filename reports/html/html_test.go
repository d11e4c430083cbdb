package html_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	parser "golang.org/x/net/html"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/html"
	"rehearse.dev/rehearse/reports/internal/sample"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// The golden file holds what a reader of the sample's page reads, titles of the chart's parts included.
func TestWriteGolden(t *testing.T) {
	t.Parallel()
	page := write(t, sample.Run(), sampleBundles(t))
	got := strings.Join(texts(parse(t, page)), "\n") + "\n"
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
	page := parse(t, write(t, sample.Run(), sampleBundles(t)))
	ids := map[string]bool{}
	var targets []string
	walk(page, func(n *parser.Node) {
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("the id %q occurs twice", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				targets = append(targets, a.Val[1:])
			case slices.Contains([]string{"href", "src", "srcset", "action", "data", "poster"}, a.Key):
				t.Errorf("<%s %s=%q> leads out of the page", n.Data, a.Key, a.Val)
			}
		}
		if n.Type == parser.TextNode && n.Parent.Data == "style" && (strings.Contains(n.Data, "url(") || strings.Contains(n.Data, "@import")) {
			t.Error("the style loads something")
		}
	})
	if len(targets) == 0 {
		t.Error("nothing links to the variants")
	}
	for _, target := range targets {
		if !ids[target] {
			t.Errorf("a link leads to #%s, which is not there", target)
		}
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
	walk(page, func(n *parser.Node) {
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

func walk(n *parser.Node, visit func(*parser.Node)) {
	visit(n)
	for c := range n.ChildNodes() {
		walk(c, visit)
	}
}

// texts are the page's texts in their order, without style and script.
func texts(root *parser.Node) []string {
	var all []string
	walk(root, func(n *parser.Node) {
		if n.Type != parser.TextNode || n.Parent.Data == "style" || n.Parent.Data == "script" {
			return
		}
		if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
			all = append(all, text)
		}
	})
	return all
}
