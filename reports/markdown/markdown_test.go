package markdown_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/sample"
	"rehearse.dev/rehearse/reports/markdown"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestWriteGolden(t *testing.T) {
	t.Parallel()
	hostile := "| `x` ```\n<script>alert(1)</script>\n[a](b) @someone #1 *b* _c_ \\ |"
	for name, run := range map[string]verdict.Run{
		"summary": sample.Run(),
		"empty":   {Status: verdict.Inconclusive, CleanupErr: "namespace shop-1 is still Terminating"},
		"hostile": {Status: verdict.Failed, ID: "r", Variants: []verdict.Variant{{
			Scenario: "s|" + hostile, Description: hostile, File: hostile, Status: verdict.Failed, Reason: hostile,
			Verdicts: []verdict.Verdict{{Name: hostile, Kind: "live", Status: verdict.Failed, Message: hostile}},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "testdata/" + name + ".md"
			got := write(t, run)
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
		})
	}
}

func TestWriteFitsAStepSummary(t *testing.T) {
	t.Parallel()
	var run verdict.Run
	for i := range 3000 {
		v := verdict.Variant{Scenario: fmt.Sprintf("scenario-%d", i), Status: verdict.Failed}
		for j := range 20 {
			v.Verdicts = append(v.Verdicts, verdict.Verdict{Name: fmt.Sprint(j), Kind: "live", Status: verdict.Failed, Message: strings.Repeat("wörd ", 2000)})
		}
		run.Variants = append(run.Variants, v)
	}
	got := write(t, run)
	if len(got) >= 1<<20 {
		t.Errorf("the summary has %d bytes, more than a step summary may have", len(got))
	}
	if !strings.Contains(got, "More did not pass") {
		t.Error("the summary does not say that something is left out")
	}
}

func write(t *testing.T, run verdict.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := markdown.Write(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
